import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS, shapeOf, type Shape, validate } from '../support/ecr/validate.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { refusal, sdk } from './client.ts'

/** Long enough for what must have a hundred characters. */
const POLICY = JSON.stringify({ Version: '2012-10-17', Statement: [] }).padEnd(100)
const SAMPLES: readonly (readonly [RegExp, string])[] = [
  [/RepositoryName/, 'app/web'],
  [/RegistryId/, '123456789012'],
  [/UploadId/, '01234567-89ab-cdef-0123-456789abcdef'],
  [/Digest/, `sha256:${'a'.repeat(64)}`],
  [/FilterValue/, 'dev-*'],
  [/PolicyText/, POLICY],
  [/Prefix/, 'ROOT'],
]

/** The least input that breaks nothing. */
function sample(name: string): unknown {
  const shape = shapeOf(name)
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(
        (shape.required ?? []).map((member) => [member, sample(memberOf(shape, member))]),
      )
    case 'list':
      return Array.from({ length: Math.max(1, shape.min ?? 0) }, () => sample(shape.member ?? ''))
    case 'integer':
    case 'long':
      return shape.min ?? 1
    case 'blob':
      return btoa('bytes')
    case 'boolean':
      return true
    default:
      return (
        SAMPLES.find(([pattern]) => pattern.test(name))?.[1] ??
        shape.enum?.[0] ??
        'x'.repeat(Math.max(1, shape.min ?? 0))
      )
  }
}

const memberOf = (shape: Shape, member: string): string => shape.members?.[member] ?? ''

/** Values that each break one constraint of a shape. */
function* broken(name: string): Generator<readonly [why: string, value: unknown]> {
  const { type, min = 0, max, pattern, enum: choices, member } = shapeOf(name)
  const isNumber = type === 'integer' || type === 'long'
  if (isNumber && min > 0) yield ['too small', min - 1]
  if (isNumber && max !== undefined) yield ['too large', max + 1]
  if (type === 'list' && min > 0) yield ['too few', []]
  if (type === 'list' && max !== undefined)
    yield ['too many', Array.from({ length: max + 1 }, () => sample(member ?? ''))]
  if (type === 'string' && min > 0) yield ['too short', String(sample(name)).slice(0, min - 1)]
  if (type === 'string' && max !== undefined) yield ['too long', 'a'.repeat(max + 1)]
  if (type === 'string' && pattern !== undefined) yield ['not of the pattern', 'no ÿ!']
  if (type === 'string' && choices !== undefined) yield ['no choice', 'SOMETHING_ELSE']
  yield ['of another type', type === 'structure' ? 'text' : { another: 'type' }]
}

/** Every way in which an input can break the model, to the last member of its members. */
function* wrongInputs(name: string): Generator<readonly [why: string, input: object]> {
  const shape = shapeOf(name)
  const good = Object(sample(name)) as object
  for (const member of shape.required ?? []) yield [`without ${member}`, { ...good, [member]: undefined }]
  for (const [member, target] of Object.entries(shape.members ?? {})) {
    for (const [why, value] of broken(target)) yield [`${member} ${why}`, { ...good, [member]: value }]
    const inner = shapeOf(target)
    const within = inner.type === 'list' ? inner.member : inner.type === 'structure' ? target : undefined
    if (within === undefined || shapeOf(within).type !== 'structure') continue
    for (const [why, value] of wrongInputs(within))
      yield [`${member}: ${why}`, { ...good, [member]: inner.type === 'list' ? [value] : value }]
  }
}

let ecr: Ecr
beforeAll(async () => {
  ecr = await startEcr({ tls: false, quotas: 'none' })
})
afterAll(async () => ecr.stop())

describe.each(Object.entries(OPERATIONS))('%s', (operation, input) => {
  test('takes what the model allows, and refuses whatever breaks it', () => {
    expect(() => validate(operation, Object(sample(input)))).not.toThrow()
    for (const [why, value] of wrongInputs(input)) {
      const sent = Object(JSON.parse(JSON.stringify(value)))
      expect(() => validate(operation, sent), why).toThrow('failed to satisfy constraint')
    }
  })
})

test('the API itself answers so, before anything is done', async () => {
  const api = sdk(ecr)
  const { PutImageTagMutabilityCommand, UploadLayerPartCommand, CreateRepositoryCommand } =
    await import('@aws-sdk/client-ecr')
  expect(await refusal(api.send(new CreateRepositoryCommand({ repositoryName: 'Upper' })))).toMatch(
    /^InvalidParameterException: Invalid parameter at 'repositoryName'/,
  )
  expect(ecr.repositories()).toEqual([])
  ecr.createRepository('app')
  expect(
    await refusal(
      api.send(new PutImageTagMutabilityCommand({ repositoryName: 'app', imageTagMutability: undefined })),
    ),
  ).toContain("'imageTagMutability'")
  expect(
    await refusal(
      api.send(
        new UploadLayerPartCommand({
          repositoryName: 'app',
          uploadId: 'not-a-uuid',
          partFirstByte: 0,
          partLastByte: 0,
          layerPartBlob: new Uint8Array(1),
        }),
      ),
    ),
  ).toContain("'uploadId'")
})
