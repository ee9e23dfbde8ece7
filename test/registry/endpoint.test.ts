import { expect, test } from 'vitest'
import { createEndpoints } from '../../src/registry/endpoint.ts'

const neverAsked = createEndpoints(
  () => Promise.reject(new Error('it was asked')),
  ['plain.example:5000', '10.0.0.1'],
)

test.each([
  ['docker.io', 'https://registry-1.docker.io'],
  ['index.docker.io', 'https://registry-1.docker.io'],
  ['registry-1.docker.io', 'https://registry-1.docker.io'],
  ['mirror.gcr.io', 'https://mirror.gcr.io'],
  ['quay.io', 'https://quay.io'],
  ['Reg.Example:8443', 'https://reg.example:8443'],
  ['plain.example:5000', 'http://plain.example:5000'],
  ['PLAIN.example:5000', 'http://plain.example:5000'],
  ['plain.example', 'https://plain.example'],
  ['10.0.0.1', 'http://10.0.0.1'],
  ['10.0.0.2', 'https://10.0.0.2'],
])('%s is reached at %s', async (registry, origin) => {
  expect(await neverAsked(registry)).toBe(origin)
})
