/** Numbers from 0 to 1 that follow from the seed alone, so that a failure can be had again. */
export function random(seed: string): () => number {
  let state = Number(Bun.hash(seed) & 0xffff_ffffn) || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
