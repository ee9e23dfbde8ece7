#!/usr/bin/env bun
import manifest from '../package.json' with { type: 'json' }
import { reportCrash } from './commands/command.ts'
import type { Context } from './commands/context.ts'
import { abortOnSignals } from './commands/interrupt.ts'
import { main } from './commands/main.ts'

const controller = new AbortController()
const context: Context = {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
}
abortOnSignals(controller)

// `ma-bundle inspect … | head` closes our stdout, a closed terminal our stderr: nobody is left to tell.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}

let crashed = false
const crash = (error: unknown): void => {
  crashed = true
  process.exitCode = reportCrash(error, context, process.argv.slice(2))
  controller.abort(error)
}
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

const exitCode = await main(process.argv.slice(2), context, manifest)
if (!crashed) process.exitCode = exitCode
