import schema from './schema.json' with { type: 'json' }

/** A JSON Schema, https://json-schema.org/draft/2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>

const definitions: Readonly<Record<string, JsonSchema>> = schema.$defs

/** Commands whose result the schema describes. */
export const describedCommands = (): readonly string[] =>
  Object.keys(definitions).flatMap((name) => (name.endsWith(RESULT) ? [name.slice(0, -RESULT.length)] : []))

/**
 * What each line of stdout is under `--json`, of one command or of all: an event, the result, or the error. It is
 * complete: everything it refers to is in it. Objects are open, because later versions may add keys.
 */
export function linesSchema(commands: readonly string[], title: string): JsonSchema {
  const lines = [
    { $ref: '#/$defs/event' },
    ...commands.map((command) => ({
      type: 'object',
      properties: {
        type: { const: 'result' },
        command: { const: command },
        result: { $ref: `#/$defs/${command}${RESULT}` },
      },
      required: ['type', 'command', 'result'],
    })),
    { $ref: '#/$defs/error' },
  ]
  const used = reachable(lines)
  return {
    $schema: schema.$schema,
    title,
    oneOf: lines,
    $defs: Object.fromEntries(Object.entries(definitions).filter(([name]) => used.has(name))),
  }
}

// --- internal ---

const RESULT = '-result'

/** Names of all definitions that something refers to, directly or through others. */
function reachable(from: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (typeof from !== 'object' || from === null) return found
  for (const [key, value] of Object.entries(from)) {
    if (key !== '$ref' || typeof value !== 'string') {
      reachable(value, found)
      continue
    }
    const name = value.slice('#/$defs/'.length)
    if (found.has(name)) continue
    found.add(name)
    reachable(definitions[name], found)
  }
  return found
}
