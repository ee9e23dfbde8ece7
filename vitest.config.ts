import { readFile } from 'node:fs/promises'
import { defineConfig } from 'vitest/config'

/** Small and quick: what `npm run check` runs. */
const units = ['lib', 'oci', 'registry', 'helm', 'archive', 'aws', 'bundle', 'cli'].map(
  (room) => `test/${room}/**/*.test.ts`,
)

/** They share something of the checkout (the packed package, the compiled program), or measure memory or terminals. */
const alone = [
  'test/api/package.test.ts',
  'test/journeys/*memory.test.ts',
  'test/journeys/empty-root.test.ts',
  'test/journeys/own-image.test.ts',
  'test/picture/**/*.test.ts',
  'test/release/**/*.test.ts',
  'test/setup/**/*.test.ts',
]

export default defineConfig({
  plugins: [
    {
      // Bun imports these as text (`with { type: 'text' }`); Vite would take them for code.
      name: 'yaml-as-text',
      enforce: 'pre',
      load: async (id: string) =>
        id.endsWith('.yaml') ? `export default ${JSON.stringify(await readFile(id, 'utf8'))}` : undefined,
    },
  ],
  test: {
    // vitest's default pool, forks, does not run under Bun.
    pool: 'threads',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'units', include: units, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'flows',
          include: ['test/**/*.test.ts'],
          exclude: [...units, ...alone],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
})
