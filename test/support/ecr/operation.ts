import type { Input } from './input.ts'
import type { ApiAction } from './options.ts'
import type { Principal, Registry } from './registry.ts'
import type { AccessKey } from './signature.ts'
import type { Tokens } from './tokens.ts'

/** What an operation of the JSON API works with. */
export interface Operation {
  readonly registry: Registry
  readonly input: Input
  readonly key: AccessKey
  readonly principal: Principal
  readonly tokens: Tokens
}

/** Answers the members of the operation's output. */
export type Operations = Partial<Record<ApiAction, (operation: Operation) => Input | Promise<Input>>>
