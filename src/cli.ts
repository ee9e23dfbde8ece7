#!/usr/bin/env bun
import manifest from '../package.json' with { type: 'json' }
import { runOnProcess } from './commands/process.ts'

await runOnProcess(manifest)
