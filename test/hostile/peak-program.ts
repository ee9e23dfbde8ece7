import { writeFileSync } from 'node:fs'

/**
 * Runs the command line behind its first argument, a file, into which it writes the peak of memory in bytes. A process
 * of its own, because the system counts the memory of whoever starts a process as the process's own.
 */
const [file = '', ...command] = process.argv.slice(2)
const child = Bun.spawn(command, { stdio: ['inherit', 'inherit', 'inherit'] })
process.exitCode = await child.exited
writeFileSync(file, String(child.resourceUsage()?.maxRSS ?? Infinity))
