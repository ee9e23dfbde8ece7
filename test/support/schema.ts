import Ajv from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv'
import schema from '../../src/cli/schema/schema.json' with { type: 'json' }

/**
 * Compares what a run wrote under `--json` with the published schema, more strictly than the schema does for those who
 * read it: a key that it does not name is an error here, so that nothing is written that nobody has described.
 * @throws with the line and what is wrong with it
 */
export function checkJsonLines(text: string): void {
  for (const line of text.split('\n')) {
    if (!line.startsWith('{"type":"')) continue
    const value = JSON.parse(line) as { type: string; command?: string; result?: unknown }
    if (value.type === 'result') check(`${value.command ?? ''}-result`, value.result, line)
    else check(value.type, value, line)
  }
}

// --- internal ---

const ajv = new Ajv({ allErrors: true, strict: true })
const closed = close(schema) as { $defs: Record<string, object> }
const validators = new Map<string, ValidateFunction>()

function check(name: string, value: unknown, line: string): void {
  if (closed.$defs[name] === undefined) throw new Error(`schema.json has no "${name}": ${line.slice(0, 300)}`)
  const validate = validators.get(name) ?? ajv.compile({ $ref: `#/$defs/${name}`, $defs: closed.$defs })
  validators.set(name, validate)
  if (validate(value)) return
  const faults = (validate.errors ?? []).map(
    ({ instancePath, message = '', params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  )
  throw new Error(`not what schema.json says of "${name}":\n  ${faults.join('\n  ')}\n${line.slice(0, 1000)}`)
}

/** The same schema with every object closed. */
function close(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(close)
  if (typeof part !== 'object' || part === null) return part
  const copy = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, close(value)]))
  const isOpen = copy['type'] === 'object' && 'properties' in copy && !('additionalProperties' in copy)
  return isOpen ? { ...copy, additionalProperties: false } : copy
}
