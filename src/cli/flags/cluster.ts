import { execFile } from 'node:child_process'
import { BundleError, codeOf, usageError } from '../../lib/errors.ts'
import type { CommandSession } from '../session.ts'

/** What kubectl is asked for: all that names images, the nodes, and why pulls failed. */
const KINDS = 'pods,deploy,sts,ds,rs,jobs,cronjobs,rc,podtemplates,events,nodes'
const OUTPUT_LIMIT = 512 * 1024 * 1024

/**
 * The objects of the cluster that kubectl talks to, as it prints them. Credentials are kubectl's own affair; it is asked
 * to read only.
 * @throws a usage error where there is no kubectl, and kubectl's own words when it fails
 */
export function readCluster({ env, signal }: Pick<CommandSession, 'env' | 'signal'>): Promise<string> {
  const args = ['get', KINDS, '--all-namespaces', '--output', 'json']
  const options = { env: { ...env }, signal, maxBuffer: OUTPUT_LIMIT }
  return new Promise((resolve, reject) => {
    execFile('kubectl', args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      if (signal.aborted) return reject(error)
      if (codeOf(error) === 'ENOENT')
        return reject(
          usageError('there is no kubectl on the PATH', {
            next: `pipe the objects in from where there is one: kubectl get ${KINDS} -A -o json | ma-bundle check -`,
          }),
        )
      reject(
        new BundleError(`kubectl failed: ${stderr.trim().split('\n').at(-1) ?? error.message}`, {
          kind: 'failed',
          where: 'kubectl get',
          next: `see that this works: kubectl get ${KINDS} -A`,
          cause: error,
        }),
      )
    })
  })
}
