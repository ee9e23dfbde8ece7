import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openFile } from '../../src/lib/bytes/file.ts'
import { openBundle } from '../../src/bundle/format/open.ts'
import { anatomyOf } from '../../src/bundle/inspect/sizes.ts'
import { runShell } from '../support/shell.ts'
import { writeManyImages } from '../support/many-images.ts'

const IMAGES = 5000
const OWN = 20
const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-many-'))
const bundle = join(folder, 'many.tar')
beforeAll(() => writeManyImages(bundle, IMAGES, OWN))
afterAll(() => rmSync(folder, { recursive: true }))

it('weighs each of 5,000 images, and what they share', async () => {
  const file = await openFile(bundle)
  const { items, blobs } = await anatomyOf(await openBundle(file), file.size, 'a test')
  await file.close()
  expect(blobs).toHaveLength(IMAGES * (OWN + 2) + 1)
  expect(items).toHaveLength(IMAGES)
  for (const { size, own, shared } of items)
    expect([shared, own + shared]).toEqual(['shared by all'.length, size])
})

it('writes the page of such a bundle', async () => {
  const page = join(folder, 'page.html')
  const { code, stderr } = await runShell(['inspect', bundle, '--html', page])
  expect(code, stderr).toBe(0)
  expect(readFileSync(page, 'utf8').match(/id="item-\d+"/g)).toHaveLength(IMAGES)
})
