import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCampaign, type Campaign } from './campaign.ts'

let campaign: Campaign
beforeAll(async () => {
  campaign = await startCampaign()
})
afterAll(() => campaign.stop())

/** `npm run faults` has hundreds; the seed of a line of its table can be run again there. */
const SEEDS = ['ci-1', 'ci-2', 'ci-3', 'ci-4', 'ci-5', 'ci-6', 'ci-7', 'ci-8']

it.each(SEEDS)(
  'a run with the faults of seed %s ends whole, or well and to be continued',
  async (seed) => {
    const report = await campaign.run(seed)
    expect(report.broken, JSON.stringify(report)).toEqual([])
  },
  120_000,
)
