import type { WrittenBundle } from '../../bundle/media/medium.ts'
import { formatBytes } from '../../lib/format.ts'

/** What there is to say of a bundle that was written, besides its contents. */
export interface WrittenText {
  /** More for programs. */
  readonly data: object
  /** More for people. */
  readonly lines: readonly string[]
  /** The next step; undefined when the other side has the bundle already. */
  readonly next: string | undefined
}

/** @param carry the next step for one file that is carried */
export function writtenText({ name, travels, volumes, remade }: WrittenBundle, carry: string): WrittenText {
  if (volumes !== undefined) return volumesText(name, volumes)
  if (remade !== undefined) return remadeText(remade)
  const nexts = {
    carried: carry,
    reached: `inside, with nothing to carry: ma-bundle import ${name} --registry <host>`,
    sent: undefined,
  }
  return { data: {}, lines: [], next: nexts[travels] }
}

// --- internal ---

function volumesText(base: string, { list, files }: NonNullable<WrittenBundle['volumes']>): WrittenText {
  const names = files.map(({ name }) => name)
  const range = names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)?.slice(base.length)}`
  return {
    data: { volumes: files.map(({ name, size, digest }) => ({ name, size, digest })), list },
    lines: [
      `In ${range}, at most ${formatBytes(files[0]?.size ?? 0)} each; with every one of them carry ${list}, so that it can be checked alone.`,
    ],
    next: `carry them, then: ma-bundle import ${names[0] ?? base} --volumes <other folder> --registry <host>`,
  }
}

const remadeText = ({ volume, list, compared }: NonNullable<WrittenBundle['remade']>): WrittenText => ({
  data: { volume, compared },
  lines: [
    compared
      ? `It is byte for byte what ${list} lists.`
      : `It was compared with nothing, as ${list} is not there.`,
  ],
  next: `put it in the place of the old one, then: ma-bundle verify ${volume}`,
})
