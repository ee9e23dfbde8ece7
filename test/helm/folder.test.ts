import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readChartMetadata } from '../../src/helm/chart.ts'
import { packFolder } from '../../src/helm/folder.ts'
import { helmBinary } from '../support/helm.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-folder-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

const listOf = (tgz: Uint8Array): string[] =>
  execFileSync('tar', ['tzf', '-'], { input: tgz }).toString().trim().split('\n').toSorted()

const chart = {
  'shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.4.0\n',
  'shop/values.yaml': 'a: 1\n',
}

describe('packFolder', () => {
  it('packs what helm package packs, whatever .helmignore leaves out', async () => {
    const deep = `templates/${'long-name-of-a-folder/'.repeat(8)}deployment.yaml`
    for (const [path, text] of Object.entries({
      ...chart,
      'shop/.helmignore': '*.bak\n/secret\nci/\n',
      'shop/templates/a.yaml': 'kind: A\n',
      'shop/templates/.hidden': 'x',
      'shop/old.bak': 'x',
      'shop/secret': 'x',
      'shop/deep/secret': 'x',
      'shop/ci/values.yaml': 'x',
      [`shop/${deep}`]: 'kind: B\n',
    }))
      put(path, text)
    linkSync(join(folder, 'shop/values.yaml'), join(folder, 'shop/again.yaml'))
    const helm = await helmBinary(4)
    execFileSync(helm, ['package', 'shop'], { cwd: folder, env: { ...process.env, HOME: folder } })
    const theirs = execFileSync('tar', ['tzf', join(folder, 'shop-1.4.0.tgz')])
      .toString()
      .trim()
      .split('\n')
    const ours = await packFolder(join(folder, 'shop'), './shop')
    expect(listOf(ours)).toEqual(theirs.toSorted())
    expect(readChartMetadata(ours)).toMatchObject({ name: 'shop', version: '1.4.0' })
    writeFileSync(join(folder, 'ours.tgz'), ours)
    const shown = execFileSync(helm, ['show', 'values', 'ours.tgz'], { cwd: folder }).toString()
    expect(shown).toContain('a: 1')
  })

  it('makes the same bytes of the same files, whenever they were written', async () => {
    for (const [path, text] of Object.entries(chart)) put(path, text)
    const first = await packFolder(join(folder, 'shop'), './shop')
    utimesSync(join(folder, 'shop/values.yaml'), new Date(5000), new Date(5000))
    const second = await packFolder(join(folder, 'shop'), './shop')
    const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
    expect(sha(second)).toBe(sha(first))
  })

  it('says what to run when dependencies are not there, and takes them when they are', async () => {
    put(
      'shop/Chart.yaml',
      `${chart['shop/Chart.yaml']}dependencies:\n- {name: db, version: 1.x, repository: https://c.example}\n`,
    )
    await expect(packFolder(join(folder, 'shop'), './shop')).rejects.toMatchObject({
      kind: 'usage',
      message: 'the chart ./shop lacks dependencies in charts/: db',
      next: 'run helm dependency build ./shop',
    })
    put('shop/charts/db-1.2.3.tgz', 'x')
    expect(listOf(await packFolder(join(folder, 'shop'), './shop'))).toContain('shop/charts/db-1.2.3.tgz')
  })

  it('refuses what is no chart, and links that lead out of it', async () => {
    mkdirSync(join(folder, 'empty'))
    await expect(packFolder(join(folder, 'empty'), './empty')).rejects.toThrow(
      'the folder ./empty holds no chart: it has no Chart.yaml',
    )
    for (const [path, text] of Object.entries(chart)) put(path, text)
    symlinkSync('/etc/hostname', join(folder, 'shop/name'))
    await expect(packFolder(join(folder, 'shop'), './shop')).rejects.toThrow(
      'the link ./shop/name leads out of the chart',
    )
  })
})
