import { runProgram } from './program.ts'

export interface Mounted {
  unmount(): Promise<void>
}

/** A file system of that many bytes in the folder, to be filled. Root's permissions do not get around its size. */
export const mountSmall = (folder: string, bytes: number): Promise<Mounted> =>
  mounted(folder, [['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]])

/** The folder, from now on read-only, for root too. */
export const mountReadOnly = (folder: string): Promise<Mounted> =>
  mounted(folder, [
    ['--bind', folder, folder],
    ['-o', 'remount,ro,bind', folder],
  ])

// --- internal ---

async function mounted(folder: string, calls: readonly (readonly string[])[]): Promise<Mounted> {
  for (const args of calls) {
    try {
      await runProgram('mount', args)
    } catch (cause) {
      throw new Error('this test mounts a file system of its own: run it as root', { cause })
    }
  }
  return {
    async unmount() {
      await runProgram('umount', [folder])
    },
  }
}
