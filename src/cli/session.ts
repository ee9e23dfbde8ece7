import type { Readable } from 'node:stream'

import { redacted, type BundleEvent } from '../bundle/run/events.ts'
import type { AwsConfigs } from '../aws/config/sides.ts'
import type { Emit } from '../lib/events.ts'
import { jsonText } from '../lib/text/visible.ts'
import type { Context, OutputStream } from './context.ts'
import { wantsColor } from './context.ts'
import { createJsonRenderer } from './ui/json.ts'
import { createLiveRenderer } from './ui/live.ts'
import { createPlainRenderer } from './ui/plain.ts'
import { createQuietRenderer, type EventRenderer } from './ui/renderer.ts'
import { createStyle, terminalText, type Style } from './ui/style.ts'
import type { ProblemTally } from './ui/words.ts'

/** What a command works with: the world of its run, and the ways to speak. */
export interface CommandSession {
  /** Takes the events of core code; how they look is decided here. */
  readonly emit: Emit<BundleEvent>
  /** Text results for stdout; nothing under `--json`, where `result` speaks. */
  readonly out: { write(text: string): void }
  /**
   * The result of the command, once, at its end: under `--json` the line `{"type":"result","command":…,"result":…}`,
   * else the text; under `--quiet` only `brief`, one line, where the command has one.
   */
  result(data: object, text: string | (() => string), brief?: string): void
  /** Whole lines for people on stderr. */
  note(text: string): void
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  /** How AWS is reached, by side; flags, environment and profile in one. */
  readonly aws: AwsConfigs
  /** For data in pipes: passwords, bundles. */
  readonly stdin: Readable
  /** The raw stream, for a bundle that goes into a pipe. Set `dataOnStdout` in the command, so that nothing else does. */
  readonly stdout: OutputStream
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** What went wrong and was repaired, so far. */
  readonly tally: ProblemTally
  /** For results on stdout; plain when that is not a terminal. */
  readonly style: Style
  /** Columns for tables on stdout. */
  readonly columns: number
}

export interface SessionSettings {
  readonly command: string
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly color: boolean
  /** Results go to stderr because a bundle goes to stdout. */
  readonly dataOnStdout: boolean
}

/** Columns of text that goes into a file or a pipe: wide enough that no digest is cut. */
const unboundColumns = 400

/** A session and its renderer; whoever opens it closes the renderer. */
export function openSession(
  context: Context,
  settings: SessionSettings,
  aws: AwsConfigs,
): { session: CommandSession; renderer: EventRenderer } {
  const { command, json, quiet, verbose } = settings
  const results = settings.dataOnStdout ? context.stderr : context.stdout
  const renderer = chooseRenderer(context, settings, results)
  const write = (text: string): void => {
    renderer.clear()
    results.write(text)
  }
  const tally = { retries: 0, warnings: 0 }
  const session: CommandSession = {
    emit(event) {
      if (event.type === 'retry') tally.retries += 1
      if (event.type === 'warning') tally.warnings += 1
      renderer.emit(redacted(event))
    },
    tally,
    out: {
      write(text) {
        if (!json) write(terminalText(text))
      },
    },
    result(data, text, brief) {
      if (json) write(`${jsonText({ type: 'result', command, result: data })}\n`)
      else if (quiet && brief !== undefined) write(`${terminalText(brief)}\n`)
      else write(terminalText(typeof text === 'string' ? text : text()))
    },
    note: (text) => {
      if (!quiet) renderer.print(terminalText(text))
    },
    signal: context.signal,
    env: context.env,
    aws,
    stdin: context.stdin,
    stdout: context.stdout,
    json,
    quiet,
    verbose,
    style: createStyle(results.isTTY === true && wantsColor({ ...context, stderr: results }, settings.color)),
    columns: results.isTTY === true ? results.columns || 80 : unboundColumns,
  }
  return { session, renderer }
}

// --- internal ---

function chooseRenderer(context: Context, settings: SessionSettings, results: OutputStream): EventRenderer {
  const { stderr } = context
  const toStderr = (text: string): void => {
    stderr.write(text)
  }
  if (settings.quiet) return createQuietRenderer(toStderr)
  if (settings.json) return createJsonRenderer((text) => void results.write(text), toStderr)
  const style = createStyle(wantsColor(context, settings.color))
  if (isLive(context)) return createLiveRenderer(stderr, { style, verbose: settings.verbose })
  return createPlainRenderer(toStderr, { style, verbose: settings.verbose })
}

/** A terminal that can move its cursor, with a person in front of it: some CI systems offer a terminal to a log. */
const isLive = ({ env, stderr }: Context): boolean =>
  stderr.isTTY === true && env['TERM'] !== 'dumb' && ['', 'false', '0'].includes(env['CI'] ?? '')
