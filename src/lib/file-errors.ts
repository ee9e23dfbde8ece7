import { codeOf } from './errors.ts'

/**
 * Why something could not be read, as the end of a sentence; the system's code where there are no words for it.
 * @param what was looked for, when it is not a file
 */
export function whyUnreadable(error: unknown, what: 'file' | 'folder' = 'file'): string {
  const code = codeOf(error)
  if (code === undefined) return 'unknown error'
  return code === 'ENOENT' ? `no such ${what}` : (READING[code] ?? ANY[code] ?? code)
}

/** Why something could not be written, as the end of a sentence; undefined when there are no words for it. */
export function whyUnwritable(error: unknown): string | undefined {
  const code = codeOf(error) ?? ''
  return WRITING[code] ?? ANY[code]
}

// --- internal ---

const ANY: Readonly<Record<string, string>> = {
  EBUSY: 'it is in use',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a folder',
  ELOOP: 'a link is in its place',
  EMFILE: 'too many files are open (ulimit -n)',
  ENAMETOOLONG: 'the name is too long for the file system',
  ENFILE: 'too many files are open on this machine',
  ENODEV: 'its medium is gone',
  ENOLCK: 'the file system has no more locks',
  ENOMEM: 'there is no memory left',
  ENOTDIR: 'a part of the path is not a folder',
  ENXIO: 'its medium is gone',
  ESTALE: 'its medium is gone',
}

const READING: Readonly<Record<string, string>> = {
  EACCES: 'no permission to read it',
  EFBIG: 'it is too large for this kind of file',
  EPERM: 'no permission to read it',
}

const WRITING: Readonly<Record<string, string>> = {
  EACCES: 'no permission to write there',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'a file of that name is in the way',
  EFBIG: 'the file system takes no files of that size',
  ENOENT: 'the folder does not exist',
  ENOSPC: 'the disk is full',
  EPERM: 'no permission to write there',
  EROFS: 'the file system is read-only',
}
