import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../../lib/http/proxy.ts'

/** `~/.aws/config` and `~/.aws/credentials`, or where `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` say. */
export interface SharedFiles {
  readonly configFilepath: string
  readonly filepath: string
}

/** One profile of both files, and the section `[services …]` that it names. */
export interface Profile {
  readonly settings: Readonly<Record<string, string | undefined>>
  /** By service and setting: `ecr.endpoint_url`. */
  readonly services: Readonly<Record<string, string | undefined>>
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html */
export function sharedFiles(env: Env): SharedFiles {
  const home = env['HOME'] || env['USERPROFILE'] || homedir()
  return {
    configFilepath: untilded(env['AWS_CONFIG_FILE'] || join(home, '.aws', 'config'), home),
    filepath: untilded(env['AWS_SHARED_CREDENTIALS_FILE'] || join(home, '.aws', 'credentials'), home),
  }
}

/** A path of a person, who may begin it with `~/`. */
export const untilded = (path: string, home: string): string =>
  path.startsWith('~/') ? join(home, path.slice(2)) : path

/** The profile, or undefined when neither file has it. Without files nothing is loaded. */
export async function readProfile(files: SharedFiles, name: string): Promise<Profile | undefined> {
  if (!existsSync(files.configFilepath) && !existsSync(files.filepath)) return undefined
  const { loadSharedConfigFiles } = await import('@smithy/core/config')
  const { configFile, credentialsFile } = await loadSharedConfigFiles({ ...files, ignoreCache: true })
  const [config, credentials] = [configFile[name], credentialsFile[name]]
  if (config === undefined && credentials === undefined) return undefined
  const settings = { ...config, ...credentials }
  return { settings, services: configFile[`services.${settings['services'] ?? ''}`] ?? {} }
}
