/**
 * Loaded before a program (`bun --preload`): writes its peak memory into the file that PEAK_MEMORY_FILE names, in
 * bytes. Not `resourceUsage()`: a child's begins with that of the process that started it.
 */
import { readFileSync, writeFileSync } from 'node:fs'

process.on('exit', () => {
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  writeFileSync(process.env['PEAK_MEMORY_FILE'] ?? '', String(Number(peak) * 1024))
})
