import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { billOfMaterials } from './bill.ts'

interface Bill {
  readonly bomFormat: string
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } }
  readonly components: readonly {
    readonly name: string
    readonly version: string
    readonly purl: string
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  }[]
}

const root = join(import.meta.dirname, '..', '..')

it('names every package that runs, as it is installed here, and none that only builds or tests', async () => {
  const text = await billOfMaterials(root)
  const { bomFormat, metadata, components } = JSON.parse(text) as Bill
  expect(bomFormat).toBe('CycloneDX')
  expect(metadata.component).toMatchObject({ name: manifest.name, version: manifest.version })
  const names = components.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)))
  for (const name of ['vitest', 'typescript', 'oxlint']) expect(names).not.toContain(name)
  for (const name of Object.keys(manifest.dependencies)) {
    const installed = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string
    }
    expect(components.filter((one) => one.name === name).map(({ version }) => version)).toContain(
      installed.version,
    )
  }
  for (const { purl, hashes } of components) {
    expect(purl).toMatch(/^pkg:npm\/(?:%40[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+/)
    expect(hashes?.[0]?.content).toMatch(/^[0-9a-f]{128}$/)
  }
  expect(await billOfMaterials(root)).toBe(text)
})
