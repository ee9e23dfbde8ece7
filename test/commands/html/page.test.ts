import axe from 'axe-core'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PageData } from '../../../src/cli/html/page-data.ts'
import { htmlReport } from '../../../src/cli/html/page.ts'
import { openPage, startBrowser } from '../../support/browser.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../../support/images.ts'
import { runShell } from '../../support/shell.ts'
import { startSource } from '../../support/source.ts'
import { HOSTILE, hostilePage } from './hostile.ts'

let folder: string
let browser: Browser
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'html-'))
  browser = await startBrowser()
  await makeBundles()
})
afterAll(async () => {
  await browser.close()
  rmSync(folder, { recursive: true })
})

const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

/** Sixty images of thirty layers, some shared, and what came before; and a bundle of one image. */
async function makeBundles(): Promise<void> {
  const bases = Array.from({ length: 6 }, (_, seed) =>
    layerOf({ base: noise(9000 + seed * 3000, 500 + seed) }),
  )
  const image = (seed: number, platform: string, layers: number): BuiltImage =>
    buildImage(
      [
        bases[seed % 6] ?? new Uint8Array(),
        ...Array.from({ length: layers - 1 }, (_, layer) =>
          layerOf({
            own: noise(40 + ((seed * 31 + layer * 17) % 90) * 8, seed * 1000 + layer * 7 + platform.length),
          }),
        ),
      ],
      {
        platform,
        ...(seed % 2 === 0 ? {} : { annotations: { 'org.opencontainers.image.licenses': 'MIT' } }),
      },
    )
  const index = (seed: number, layers: number): BuiltImage =>
    buildIndex([image(seed, 'linux/amd64', layers), image(seed, 'linux/arm64/v8', 3)])
  const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
  const tgz = layerOf({ 'web/Chart.yaml': JSON.stringify(metadata), 'web/values.yaml': 'a: 1\n' })
  const pack = async (name: string, images: Record<string, BuiltImage>): Promise<void> => {
    const source = await startSource({ images, charts: [{ name: 'web', version: '1.2.3', metadata, tgz }] })
    const spec = `apiVersion: ma-bundle/v1
kind: BundleSpec
name: ${name}
version: 1.0.0
mirrors: { registry.example: [${source.host}] }
groups:
  - name: all
    images: [${Object.keys(images)
      .map((image) => `registry.example/${image}`)
      .join(', ')}]
    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]
`
    writeFileSync(at(`${name}.yaml`), spec)
    const { code, stderr } = await runShell([
      'export',
      at(`${name}.tar`),
      '--spec',
      at(`${name}.yaml`),
      '--no-prove',
    ])
    await source.stop()
    expect([code, stderr.includes('error')]).toEqual([0, false])
  }
  const all = Array.from({ length: 60 }, (_, seed) => [`team/app-${seed}`, index(seed, 30)] as const)
  const tagged = (tag: (seed: number) => string) =>
    Object.fromEntries(all.map(([name, built], seed) => [`${name}:${tag(seed)}`, built]))
  await pack(
    'new',
    tagged((seed) => (seed === 7 ? '2' : '1')),
  )
  await pack(
    'old',
    tagged(() => '1'),
  )
  await pack('one', { 'solo/app:1': index(100, 2) })
}

async function report(bundle: string, ...more: readonly string[]): Promise<string> {
  const { code, stderr } = await runShell(['inspect', at(bundle), '--html', at('page.html'), ...more])
  expect([code, stderr]).toEqual([0, ''])
  return at('page.html')
}

const rowNames = (page: Page): Promise<readonly string[]> =>
  page.locator('#contents tbody tr:visible th > bdi').allTextContents()

/** Rules of WCAG 2.1 A and AA that can be checked by a program. */
async function faultsIn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const result = await page.evaluate(
    'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })',
  )
  const { violations } = result as { violations: { id: string; nodes: { html: string }[] }[] }
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
}

describe('a page of sixty images', () => {
  let file: string
  beforeAll(async () => {
    file = await report('new.tar', '--compare', at('old.tar'))
  })

  it('shows totals, sizes, contents, charts, platforms, sharing and changes, and asks for nothing', async () => {
    const { page, misdeeds, close } = await openPage(browser, file)
    expect(await page.title()).toBe('new 1.0.0: what is in the bundle')
    const text = await page.innerText('body')
    expect(text).toContain('60')
    expect(text).toMatch(/Saved by sharing\n[\d.]+ \w+\none by one they have/)
    expect(text).toContain('no helm rendered the charts at the export')
    expect(text).toContain('no signature is next to the bundle')
    expect(text).toContain('Compared with old.tar: 1 updated, 0 rebuilt, 0 added, 0 removed, 60 the same.')
    expect(await page.locator('#changes tbody tr').innerText()).toMatch(
      /updated[^]*registry\.example\/team\/app-7\s+1[^]*2/,
    )
    expect(await rowNames(page)).toHaveLength(61)
    expect(await page.locator('#platforms tbody th').allTextContents()).toEqual([
      'linux/amd64',
      'linux/arm64/v8',
    ])
    expect(await page.locator('#sharing tbody tr').count()).toBe(6)
    expect(await page.locator('#charts').innerText()).toContain('not rendered')
    expect(await page.locator('#sizes svg.wide a').count()).toBeGreaterThan(20)
    expect(await page.locator('#sizes svg.narrow').isVisible()).toBe(false)
    expect(misdeeds).toEqual([])
    await close()
  })

  it('has nothing that a program could find fault with, light on a telephone, dark on a screen', async () => {
    for (const [colorScheme, width] of [
      ['light', 380],
      ['dark', 1280],
    ] as const) {
      const opened = await openPage(browser, file, { colorScheme, viewport: { width, height: 900 } })
      expect(await faultsIn(opened.page)).toEqual([])
      expect(await opened.page.evaluate(OVERFLOW)).toBe(0)
      await opened.close()
    }
  }, 60_000)

  it('is searched and narrowed to a kind', async () => {
    const { page, close } = await openPage(browser, file)
    expect(await page.locator('#count').innerText()).toBe('61 of 61 shown')
    await page.getByLabel('Search names').fill('APP-1 mit')
    expect((await rowNames(page)).toSorted()).toEqual(
      ['1', '11', '13', '15', '17', '19'].map((seed) => `registry.example/team/app-${seed}:1`).toSorted(),
    )
    expect(await page.locator('#count').innerText()).toBe('6 of 61 shown')
    await page.getByLabel('Search names').fill('no such thing')
    expect(await page.getByText('Nothing matches').isVisible()).toBe(true)
    await page.getByLabel('Search names').fill('')
    await page.getByLabel('Kind').selectOption('chart')
    expect(await rowNames(page)).toEqual(['web:1.2.3'])
    await close()
  })

  it('is sorted by any column, with the keyboard', async () => {
    const { page, close } = await openPage(browser, file)
    const sizes = () =>
      page
        .locator('#contents tbody td.size, #contents tbody td[data-label=size]')
        .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('data-value'))))
    const first = await sizes()
    expect(first).toEqual(first.toSorted((a, b) => b - a))
    await page.locator('#contents').getByRole('button', { name: 'Size' }).press('Enter')
    expect(await sizes()).toEqual(first.toSorted((a, b) => a - b))
    expect(await page.locator('#contents th[aria-sort]').getAttribute('aria-sort')).toBe('ascending')
    await page.getByRole('button', { name: 'Name and digest' }).press('Space')
    const names = await rowNames(page)
    expect(names).toEqual(names.toSorted())
    await close()
  })

  it('has a map that the keyboard walks, and that leads to the rows', async () => {
    const { page, close } = await openPage(browser, file)
    const groups = page.locator('svg.wide a')
    await groups.first().focus()
    await page.keyboard.press('ArrowRight')
    const label = (await groups.nth(1).locator('title').textContent()) ?? ''
    expect(label).toMatch(/: [\d.]+ \w+ in \d+ blobs, [\d.]+ % of the bundle$/)
    expect(await page.getByRole('link', { name: label, exact: true }).count()).toBe(1)
    expect(await page.locator('#details').innerText()).toBe(label)
    expect(await page.locator('svg.wide a[tabindex="0"]').count()).toBe(1)
    await page.locator('svg.wide a[href^="#item-"]').first().press('Enter')
    expect(await page.locator('#contents tr:target').count()).toBe(1)
    await close()
  })

  it('turns dark on request, and light on paper', async () => {
    const { page, close } = await openPage(browser, file, { colorScheme: 'light' })
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    expect(await background()).toBe('rgb(255, 255, 255)')
    await page.getByRole('button', { name: 'Dark theme' }).click()
    expect(await background()).toBe('rgb(15, 20, 25)')
    await page.emulateMedia({ media: 'print' })
    expect(await background()).toBe('rgb(255, 255, 255)')
    expect(await page.locator('.controls').isVisible()).toBe(false)
    expect(await page.getByRole('button', { name: 'Dark theme' }).isVisible()).toBe(false)
    expect((await rowNames(page)).length).toBe(61)
    await close()
  })

  it('says all of it without a script', async () => {
    const { page, close } = await openPage(browser, file, { javaScriptEnabled: false })
    expect(await rowNames(page)).toHaveLength(61)
    expect(await page.locator('.controls').isVisible()).toBe(false)
    await close()
  })

  it('is the same to the last byte each time', async () => {
    const before = readFileSync(file)
    expect(readFileSync(await report('new.tar', '--compare', at('old.tar'))).equals(before)).toBe(true)
    expect(before.toString()).not.toContain(folder)
  })
})

describe('a page of one image', () => {
  it('is as good', async () => {
    const { page, misdeeds, close } = await openPage(browser, await report('one.tar'))
    expect(await rowNames(page)).toEqual(['registry.example/solo/app:1', 'web:1.2.3'])
    expect(await page.innerText('#sharing')).toContain('No two items have a blob in common.')
    expect(await page.locator('#changes').count()).toBe(0)
    expect(await faultsIn(page)).toEqual([])
    expect(misdeeds).toEqual([])
    await close()
  })
})

describe('the verdicts', () => {
  const textOf = async (file: string): Promise<string> => {
    const { page, close } = await openPage(browser, file)
    const text = await page.innerText('body')
    await close()
    return text
  }

  it('tell whether there is a signature, and whether it was checked', async () => {
    execFileSync('/usr/bin/openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
    execFileSync('/usr/bin/openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('key.pub')])
    expect((await runShell(['sign', at('one.tar'), '--key', at('key.pem')])).code).toBe(0)
    expect(await textOf(await report('one.tar'))).toMatch(/not checked\none\.tar\.sig is next to the bundle/)
    const checked = await textOf(await report('one.tar', '--verify-key', at('key.pub')))
    expect(checked).toMatch(
      /Signature\n✓ valid\nEd25519 key sha256:[0-9a-f]{64} \(key\.pub\), checked when this page was made; covers all \d+ entries/,
    )
    rmSync(at('page.html'))
    rmSync(at('one.tar.sig'))
    const refused = await runShell([
      'inspect',
      at('one.tar'),
      '--html',
      at('page.html'),
      '--verify-key',
      at('key.pub'),
    ])
    expect([refused.code, existsSync(at('page.html'))]).toEqual([5, false])
  })

  it('tell what was proven, and what to do about the rest', async () => {
    const { data, roots } = hostilePage()
    const { report: whole } = data.anatomy
    const proof = roots
      .filter((root) => root.kind === 'chart')
      .map(({ chart, version }) => ({ chart, version, boundCount: 3, open: [], accepted: [], failures: [] }))
    const withProof = (proofs: typeof whole.proof): PageData => ({
      ...data,
      anatomy: { ...data.anatomy, report: { ...whole, proof: proofs } },
    })
    writeFileSync(at('holds.html'), htmlReport(withProof(proof), roots))
    expect(await textOf(at('holds.html'))).toMatch(
      /✓ holds\n27 image references of 9 charts bound, none still public/,
    )
    writeFileSync(at('part.html'), htmlReport(withProof(proof.slice(1)), roots))
    expect(await textOf(at('part.html'))).toMatch(/! in part\n1 chart was neither rendered nor measured/)
    writeFileSync(at('open.html'), htmlReport(data, roots))
    const open = await textOf(at('open.html'))
    expect(open).toMatch(/✗ 9 NOT bound, 9 charts did not render/)
    expect(open).toMatch(/is needed and out of reach of values\nwhen [^\n]*\nat [^\n]*\nWhat to do: /)
  })
})

describe('names that would do harm', () => {
  it('are shown as they are, spelled out where they would be invisible, and do nothing', async () => {
    const { data, roots } = hostilePage()
    writeFileSync(at('hostile.html'), htmlReport(data, roots))
    for (const width of [1280, 380]) {
      const { page, misdeeds, close } = await openPage(browser, at('hostile.html'), {
        viewport: { width, height: 900 },
      })
      await page.waitForTimeout(100)
      expect(misdeeds).toEqual([])
      expect(await page.evaluate('window.harmed')).toBeUndefined()
      expect(await page.locator('img, iframe, object, embed, main script').count()).toBe(0)
      expect(await page.locator('script').count()).toBe(1)
      const names = await rowNames(page)
      for (const name of HOSTILE.slice(0, 5)) expect(names).toContain(name)
      expect(names).toContain('gpj⟨U+202E⟩exe.txt')
      expect(
        names.some((name) => name.startsWith('nul⟨U+0000⟩ bell⟨U+0007⟩ new⟨U+000A⟩line ⟨U+200B⟩wide')),
      ).toBe(true)
      expect(await page.locator('#contents th > details summary').first().innerText()).toContain(
        '(4096 characters)',
      )
      const links = await page
        .locator('a')
        .evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''))
      expect(links.filter((link) => !link.startsWith('#'))).toEqual([])
      expect(await page.evaluate(OVERFLOW)).toBe(0)
      if (width === 1280) expect(await faultsIn(page)).toEqual([])
      await close()
    }
  })

  it('could not even run if they got past the escaping', async () => {
    const { data, roots } = hostilePage()
    const broken = htmlReport(data, roots).replace(
      '</header>',
      '</header><script>window.harmed = true</script>',
    )
    writeFileSync(at('broken.html'), broken)
    const { page, misdeeds, close } = await openPage(browser, at('broken.html'))
    expect(await page.evaluate('window.harmed')).toBeUndefined()
    expect(misdeeds.join()).toContain('Content Security Policy')
    await close()
  })
})
