import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}

/**
 * What the program is made of, as CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/): every package that the lock has
 * for running it, with its version, licence and digest, and Bun, which is part of the one file. The same lock gives the
 * same bytes.
 * @param root folder of package.json and package-lock.json
 */
export async function billOfMaterials(root: string): Promise<string> {
  const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(root, file), 'utf8'))
  const { name, version, license } = (await read('package.json')) as Record<string, string>
  const { packages } = (await read('package-lock.json')) as { packages: Record<string, LockedPackage> }
  const components = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path, locked]) =>
      componentOf(path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), locked),
    )
  const unique = new Map(components.map((one) => [one.purl, one]))
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': `pkg:npm/${name}@${version}`,
        name,
        version,
        licenses: [{ license: { id: license } }],
      },
    },
    components: [...unique.values()].toSorted((a, b) => (a.purl < b.purl ? -1 : 1)),
  }
  return `${JSON.stringify(bill, undefined, 2)}\n`
}

// --- internal ---

function componentOf(name: string, { version = '', integrity, license, optional }: LockedPackage) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  const [, algorithm, digest] = /^(sha512|sha256|sha1)-(\S+)$/.exec(integrity ?? '') ?? []
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    ...(optional === true ? { scope: 'optional' } : {}),
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    ...(algorithm === undefined || digest === undefined
      ? {}
      : {
          hashes: [
            {
              alg: algorithm.replace('sha', 'SHA-'),
              content: Buffer.from(digest, 'base64').toString('hex'),
            },
          ],
        }),
  }
}
