import { readFile } from 'node:fs/promises'
import { defineConfig } from 'vitest/config'

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
    include: ['test/**/*.test.ts'],
    // vitest 5.1.1's default pool, forks, does not run under Bun.
    pool: 'threads',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
