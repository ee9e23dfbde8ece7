import { execFileSync } from 'node:child_process'
import { link, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { helmBinary } from '../support/helm.ts'
import type { BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startSource } from '../support/source.ts'
import { charts, compiledIn, ECR, images, rehearsalSpec } from './airgap-charts.ts'
import type { Rehearsal } from './airgap-inside.ts'

/** A network with nothing in it, and files of `/etc` that are ours alone. */
const ISOLATED = ['--net', '--mount', '--propagation', 'private']

let connected: string
beforeAll(async () => {
  needNamespaces()
  connected = await mkdtemp(join(tmpdir(), 'airgap-'))
  const byPath = Object.entries(images).map(([name, image]): [string, BuiltImage] => [
    name.slice(name.indexOf('/') + 1),
    image,
  ])
  const source = await startSource({ images: Object.fromEntries(byPath), charts })
  try {
    await writeFile(join(connected, 'spec.yaml'), rehearsalSpec(source.host))
    const args = ['export', 'bundle.tar', '--spec', 'spec.yaml', '--helm', await helmBinary(3), '--quiet']
    const { code, stderr } = await runCli(args, { cwd: connected })
    expect({ code, stderr }).toMatchObject({ code: 0 })
  } finally {
    await source.stop()
  }
}, 120_000)
afterAll(() => rm(connected, { recursive: true, force: true }))

function needNamespaces(): void {
  try {
    execFileSync('unshare', [...ISOLATED, 'true'], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (cause) {
    throw new Error(
      'the rehearsal needs a network namespace of its own: run it as root, where unshare(1) of util-linux may make one',
      { cause },
    )
  }
}

/** The isolated side: nothing but the bundle goes there. */
async function rehearse(registry: string, prefix: string): Promise<Rehearsal> {
  const folder = await mkdtemp(join(tmpdir(), 'airgap-inside-'))
  try {
    await link(join(connected, 'bundle.tar'), join(folder, 'bundle.tar'))
    const program = join(import.meta.dirname, 'airgap-inside.ts')
    const { stdout } = await runProgram(
      'unshare',
      [...ISOLATED, process.execPath, program, folder, registry, prefix],
      { env: { PATH: process.env.PATH ?? '', HOME: folder } },
    )
    return JSON.parse(stdout.toString()) as Rehearsal
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

describe.each([
  [ECR, 'mirrored'],
  [`${ECR}/platform/team`, 'own/images'],
])('a rehearsal over the air gap, to %s below %s', (registry, prefix) => {
  let rehearsal: Rehearsal
  beforeAll(async () => {
    rehearsal = await rehearse(registry, prefix)
  }, 120_000)

  it('runs where nothing but loopback is', () => {
    expect(rehearsal.devices).toEqual(['lo'])
  })

  it('imports by the real names of ECR, its API and its bucket', () => {
    expect(rehearsal.imported).toEqual({ code: 0, stderr: '' })
  })

  it('renders, with values and post-renderer, no name but private ones', () => {
    const proxy = 'ghcr.io/rehearsal/proxy:5'
    const expected = Object.keys(images)
      .filter((name) => !compiledIn.includes(name))
      .map(
        (name) => `${registry}/${prefix}/${name}${name === proxy ? `@${images[proxy]?.digest ?? ''}` : ''}`,
      )
    expect(rehearsal.rendered).toEqual({ 'helm 3': expected.toSorted(), 'helm 4': expected.toSorted() })
    expect(rehearsal.left).toEqual([])
  })

  it('mirrors on the node no registry but those of images that no value reaches', () => {
    expect(rehearsal.mirrored).toEqual(['docker.io', 'ghcr.io', 'quay.io'])
  })

  it('pulls every reference with a real containerd, to the bytes of the source', () => {
    expect(rehearsal.failed).toEqual([])
    const pulled = Object.entries(rehearsal.pulled)
    expect(pulled.map(([reference]) => reference).toSorted()).toEqual(
      [...(rehearsal.rendered['helm 3'] ?? []), ...compiledIn].toSorted(),
    )
    for (const [reference, digest] of pulled) {
      const name = reference.replace(`${registry}/${prefix}/`, '').replace(/@.*$/, '')
      expect(digest).toBe(images[name]?.digest)
    }
    expect(rehearsal.held.toSorted()).toEqual(pulled.map(([reference]) => reference).toSorted())
    expect(rehearsal.served).toBe(pulled.length)
  })

  it('sends nothing to anywhere else, by a counter that counts', () => {
    expect(rehearsal.attempts).toBe(0)
    expect(rehearsal.afterProbe).toBeGreaterThan(0)
  })

  it('keeps the promise', () => {
    const { pulled, failed, attempts } = rehearsal
    const references = new Set([...Object.values(rehearsal.rendered).flat(), ...compiledIn]).size
    const pulls = Object.keys(pulled).length
    const line = `${references} references, ${pulls} pulls, ${failed.length} ImagePullBackOff, ${attempts} packets to anywhere else`
    console.info(line)
    expect(line).toBe('10 references, 10 pulls, 0 ImagePullBackOff, 0 packets to anywhere else')
  })
})
