import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // vitest 5.1.1's default pool, forks, does not run under Bun.
    pool: 'threads',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
