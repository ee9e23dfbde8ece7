import { randomUUID } from 'node:crypto'
import type { Charge } from './access.ts'
import { account } from './api/account.ts'
import { images } from './api/images.ts'
import { layers } from './api/layers.ts'
import { policies } from './api/policies.ts'
import { repositories } from './api/repositories.ts'
import { EcrError } from './errors.ts'
import { header, readAll, type Answer, type Call } from './http.ts'
import { inputOf, objects, optionalText } from './input.ts'
import type { Door } from './listener.ts'
import type { Operations } from './operation.ts'
import type { ApiAction } from './options.ts'
import { permit, type Registry } from './registry.ts'
import type { AccessKey, Signatures } from './signature.ts'
import { assumeRole, callerIdentity, isStsAction, stsError } from './sts.ts'
import type { Tokens } from './tokens.ts'
import { validate } from './validate.ts'

export interface ControlPlane {
  readonly registry: Registry
  readonly tokens: Tokens
  readonly signatures: Signatures
  readonly keys: readonly AccessKey[]
  readonly charge: Charge
}

const OPERATIONS: Operations = { ...account, ...images, ...layers, ...policies, ...repositories }
const TARGET = /^AmazonEC2ContainerRegistry_V20150921\.(\w+)$/
/** A layer part of 20 MiB in base64, and room for the rest. */
const MAX_BODY = 40 * 1024 * 1024

/** api.ecr: AWS JSON 1.1, and GetCallerIdentity of STS beside it. */
export function controlPlane(plane: ControlPlane): Door {
  return {
    plane: 'api',
    route: (call) => [actionOf(call)].filter((action) => action !== undefined),
    failure: (status) =>
      status === 429
        ? failure(new EcrError('ThrottlingException', 'Rate exceeded'))
        : answer(status, { __type: 'ServerException', message: 'The service failed' }, 'ServerException'),
    async handle(call) {
      try {
        return isSts(call) ? await sts(plane, call) : await operate(plane, call)
      } catch (error) {
        if (!(error instanceof EcrError)) throw error
        return isSts(call) ? stsError(error) : failure(error)
      }
    },
  }
}

// --- internal ---

const isSts = (call: Call): boolean =>
  header(call, 'x-amz-target') === undefined &&
  (header(call, 'content-type') ?? '').startsWith('application/x-www-form-urlencoded')

function actionOf(call: Call): ApiAction | undefined {
  if (isSts(call)) return 'GetCallerIdentity'
  const name = TARGET.exec(header(call, 'x-amz-target') ?? '')?.[1]
  return name !== undefined && Object.hasOwn(OPERATIONS, name) ? (name as ApiAction) : undefined
}

async function operate(plane: ControlPlane, call: Call): Promise<Answer> {
  const body = await readBody(call)
  const action = actionOf(call)
  const run = action === undefined ? undefined : OPERATIONS[action]
  if (action === undefined || run === undefined || call.method !== 'POST' || call.url.pathname !== '/')
    throw new EcrError('UnknownOperationException', 'The operation is not known')
  const { key, principal } = plane.signatures.verify(call, body, 'ecr')
  const input = inputOf(body)
  plane.charge(call, principal, action, optionalText(input, 'repositoryName'))
  // https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html: to tag on creation is a right of its own.
  if (action === 'CreateRepository' && objects(input, 'tags').length > 0)
    permit(plane.registry, principal, 'TagResource', optionalText(input, 'repositoryName'))
  validate(action, input)
  const registryId = optionalText(input, 'registryId')
  if (registryId !== undefined && registryId !== plane.registry.account)
    throw new EcrError(
      'RepositoryNotFoundException',
      `The repository with name '${optionalText(input, 'repositoryName') ?? ''}' does not exist in the registry with id '${registryId}'`,
    )
  return answer(200, await run({ ...plane, input, key, principal }))
}

async function sts(plane: ControlPlane, call: Call): Promise<Answer> {
  const body = await readBody(call)
  const { key, principal } = plane.signatures.verify(call, body, 'sts')
  const form = new URLSearchParams(new TextDecoder().decode(body))
  const action = form.get('Action')
  if (!isStsAction(action))
    throw new EcrError('UnknownOperationException', `Could not find operation ${action ?? ''}`)
  plane.charge(call, principal, action)
  const { registry, keys } = plane
  return (action === 'AssumeRole' ? assumeRole : callerIdentity)({ registry, key, principal, form, keys })
}

async function readBody(call: Call): Promise<Uint8Array> {
  try {
    return await readAll(call, MAX_BODY)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new EcrError('InvalidParameterException', 'The request is too large')
  }
}

function failure(error: EcrError): Answer {
  const type = error.type === 'InvalidManifest' ? 'InvalidParameterException' : error.type
  return answer(400, { __type: type, message: error.message, ...error.extra }, type)
}

const answer = (status: number, body: unknown, type?: string): Answer => ({
  status,
  headers: {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': randomUUID(),
    ...(type === undefined ? {} : { 'x-amzn-errortype': type }),
  },
  body: JSON.stringify(body),
})
