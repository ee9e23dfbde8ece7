// Installs what `npm run quickstart` and, with --tests, `npm test` need. Plain JavaScript, because Node is all
// there is before it ran. Says what it installs; a second run finds everything there and says nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** Debian package -> the commands of it that tests call. */
const debianPackages = JSON.parse(readFileSync(join(root, 'test/setup/debian-packages.json'), 'utf8'))

try {
  installFromNpm()
  if (process.argv.includes('--tests')) installFromApt()
} catch (error) {
  console.error(`setup: ${error.message}`)
  process.exitCode = 1
}

// --- internal ---

function installFromNpm() {
  if (isStale()) {
    say('npm ci: installs Bun, the libraries and the tools that package-lock.json names into node_modules')
    run('npm', ['ci', '--no-audit', '--no-fund'])
  }
  if (works(join(root, 'node_modules', '.bin', 'bun'), ['--version'])) return
  // npm may be told not to run the scripts of packages; Bun's only puts the program of this platform in place.
  say('bun: puts its program in place, which npm was told not to do')
  run(process.execPath, [join('node_modules', 'bun', 'install.js')])
  if (!works(join(root, 'node_modules', '.bin', 'bun'), ['--version'])) {
    throw new Error('Bun from npm does not start on this machine: see "node_modules/.bin/bun --version"')
  }
}

/** Whether node_modules lacks a package that the lock file names, or has another version of it. */
function isStale() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return true
  const there = packagesOf(installed)
  return Object.entries(packagesOf(join(root, 'package-lock.json'))).some(
    ([path, { version, optional }]) =>
      path !== '' && (there[path] === undefined ? optional !== true : there[path].version !== version),
  )
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages
}

function installFromApt() {
  const missing = Object.keys(debianPackages).filter((name) => !debianPackages[name].every(isOnPath))
  if (missing.length === 0) return
  const list = missing.join(' ')
  if (!isOnPath('apt-get')) {
    const commands = missing.flatMap((name) => debianPackages[name]).join(', ')
    throw new Error(
      `the tests need these commands: ${commands}. In Debian they come with: apt-get install ${list}`,
    )
  }
  const isRoot = process.getuid() === 0
  if (!isRoot && !isOnPath('sudo')) {
    throw new Error(`not root, and there is no sudo: have an administrator run "apt-get install ${list}"`)
  }
  say(`apt-get: installs ${list}, and starts no service`)
  const install = ['sh', join(root, 'test', 'setup', 'apt-install.sh'), ...missing]
  const [program, ...args] = isRoot ? install : ['sudo', ...install]
  run(program, args)
  const still = missing.flatMap((name) => debianPackages[name]).filter((command) => !isOnPath(command))
  if (still.length > 0) throw new Error(`these commands are still missing: ${still.join(', ')}`)
}

function isOnPath(command) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(join(folder, command)))
}

function works(command, args) {
  return spawnSync(command, args, { cwd: root }).status === 0
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`"${command} ${args.join(' ')}" failed: its reason is above`)
}

function say(text) {
  console.log(`setup: ${text}`)
}
