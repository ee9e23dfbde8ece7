import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** A page that was opened without a network, and whatever it did that a report must not do. */
export interface OpenedPage {
  readonly page: Page
  /** Errors and warnings of its console, dialogs, and requests for anything but the file itself. */
  readonly misdeeds: readonly string[]
  readonly close: () => Promise<void>
}

/** Debian's Chromium, without a window. Its own requests to the network are switched off, the pages' are watched. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

export async function openPage(
  browser: Browser,
  file: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ offline: true, ...options })
  const page = await context.newPage()
  const misdeeds: string[] = []
  page.on('console', (message) => void misdeeds.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => void misdeeds.push(`error: ${error.message}`))
  page.on('request', (request) => {
    if (request.url() !== `file://${file}`) misdeeds.push(`request: ${request.url()}`)
  })
  page.on('dialog', (dialog) => {
    misdeeds.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`file://${file}`)
  return { page, misdeeds, close: () => context.close() }
}
