#!/usr/bin/env node
// What npm and npx start: plain JavaScript, because Node is all that is sure to be there. It hands over to the Bun that
// came as a dependency, with all arguments, streams and signals.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('cli.ts', import.meta.url))
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** How an interrupt is handed on; see src/cli/process.ts, which listens to it. */
const HANDED_ON = 'SIGUSR2'

const missing = missingPackages()
if (missing.length > 0) {
  console.error(
    `error: ma-bundle is not completely installed: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing\n` +
      '  next:  in a clone run npm ci; else install the package again, with npm install --global <the .tgz>',
  )
  process.exitCode = 1
} else if (process.versions.bun === undefined) run(findBun() ?? 'bun')
else await import(program)

// --- internal ---

function run(bun) {
  // Bun would else fetch packages that are not installed, in whatever version it finds.
  const child = spawn(bun, ['--no-install', program, ...process.argv.slice(2)], { stdio: 'inherit' })
  // Ctrl-C reaches both of us, `kill -INT` us alone, and nothing tells which it was. Under its own name the signal would be
  // a second Ctrl-C to the child, which quits at once; under another one it stops the child only once.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal === 'SIGINT' ? HANDED_ON : signal))
  child.on('error', (error) => {
    const why = error.code === 'ENOENT' ? 'it is not installed' : error.message
    console.error(`error: ma-bundle runs on Bun, and ${why}\n  next:  npm install --global bun`)
    process.exitCode = 1
  })
  child.on('close', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1
      return
    }
    for (const name of SIGNALS) process.removeAllListeners(name)
    process.kill(process.pid, signal === HANDED_ON ? 'SIGINT' : signal)
  })
}

/** Dependencies that no folder above this file has; Bun itself may come from elsewhere. */
function missingPackages() {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const folders = []
  for (let at = dirname(program); ; at = dirname(at)) {
    folders.push(join(at, 'node_modules'))
    if (dirname(at) === at) break
  }
  const isThere = (name) => folders.some((folder) => existsSync(join(folder, name, 'package.json')))
  return Object.keys(manifest.dependencies).filter((name) => name !== 'bun' && !isThere(name))
}

/** Of the package "bun" that belongs to this one; undefined when there is none. */
function findBun() {
  const here = createRequire(import.meta.url)
  const bun = folderOf('bun', here)
  if (bun === undefined) return undefined
  // Its install script moves the program from the package of the platform into its own. Where npm was told to run no
  // scripts, the program is still there, and a text of a few hundred bytes is in its place.
  const moved = join(bun, 'bin', 'bun.exe')
  if (existsSync(moved) && statSync(moved).size > 1024 * 1024) return moved
  const architecture = process.arch === 'arm64' ? 'aarch64' : process.arch
  return ['', '-musl']
    .map((libc) =>
      folderOf(`@oven/bun-${process.platform}-${architecture}${libc}`, createRequire(join(bun, 'x.js'))),
    )
    .filter((folder) => folder !== undefined)
    .map((folder) => join(folder, 'bin', 'bun'))
    .find((file) => existsSync(file))
}

function folderOf(name, from) {
  try {
    return dirname(from.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}
