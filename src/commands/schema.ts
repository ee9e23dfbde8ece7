import { usageError } from '../lib/errors.ts'
import { didYouMean } from '../lib/text/suggest.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { describedCommands, linesSchema } from '../cli/schema/json-schema.ts'

export default defineBundleCommand({
  name: 'schema',
  description:
    'Prints the JSON Schema of what --json writes: a line is an event, the result or the error. Later versions may add ' +
    'keys and types of events, so pass over what you do not know.',
  examples: [
    { command: 'ma-bundle schema import > import.schema.json', description: 'of one command' },
    { command: 'ma-bundle schema', description: 'of all commands' },
  ],
  args: {
    command: { type: 'positional', required: false, description: 'The command; all of them by default' },
  },
  run({ command }, session) {
    const known = describedCommands()
    if (command !== undefined && !known.includes(command)) {
      throw usageError(`there is no command ${JSON.stringify(command)}`, {
        next: didYouMean(command, known) ?? 'see ma-bundle --help for the commands',
      })
    }
    const title = `Lines of ma-bundle ${command ?? '<command>'} --json`
    const schema = linesSchema(command === undefined ? known : [command], title)
    session.result(schema, () => `${JSON.stringify(schema, undefined, 2)}\n`)
    return Promise.resolve()
  },
})
