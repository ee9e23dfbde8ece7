#!/usr/bin/env bun
import manifest from '../package.json' with { type: 'json' }
import { runOnProcess } from './cli/process.ts'

await runOnProcess(manifest)
