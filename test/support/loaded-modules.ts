/** Loaded before a program (`bun --preload`): prints the files of all modules it has loaded when it ends, on stderr. */
process.on('exit', () => {
  process.stderr.write(`${Object.keys(require.cache).join('\n')}\n`)
})
