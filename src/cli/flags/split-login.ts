import type { NetworkArgs } from './network.ts'

export type Login = Pick<NetworkArgs, 'username' | 'passwordStdin'>

/** The one user name there can be is for the registry that is written to, unless it names another host. */
export function splitLogin(
  { username, passwordStdin }: Login,
  registry: string,
): { readonly source: Login; readonly target: Login } {
  const given = { username, passwordStdin }
  const isForSource = username.some(
    (text) => text.includes('=') && text.slice(0, text.indexOf('=')) !== registry,
  )
  return isForSource ? { source: given, target: NO_LOGIN } : { source: NO_LOGIN, target: given }
}

// --- internal ---

const NO_LOGIN: Login = { username: [], passwordStdin: false }
