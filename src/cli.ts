#!/usr/bin/env bun
import manifest from '../package.json' with { type: 'json' }
import { runOnProcess } from './cli/process.ts'
import { commands } from './commands/table.ts'

const { version, description } = manifest

await runOnProcess({ version, description, commands })
