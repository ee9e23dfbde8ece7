import { yamlText } from '../../../lib/text/yaml.ts'

/** The two files of a Helm plugin; the script alone is a post-renderer of Helm 3. */
export interface PostRenderPlugin {
  readonly files: Readonly<Record<'plugin.yaml' | 'post-render.sh', string>>
}

/** How the plugin is called in `--post-renderer`. */
export const PLUGIN_NAME = 'ma-bundle'

/**
 * A plugin of Helm 4, which takes nothing else for a post-renderer. Helm cuts `command` at its spaces and expands
 * variables in it, so the arguments are in a script: https://helm.sh/docs/plugins/developer/tutorial-postrenderer-plugin
 * @param command the program and its arguments, paths absolute
 */
export const postRenderPlugin = (command: readonly string[]): PostRenderPlugin => ({
  files: {
    'plugin.yaml': yamlText({
      apiVersion: 'v1',
      type: 'postrenderer/v1',
      name: PLUGIN_NAME,
      version: '1.0.0',
      runtime: 'subprocess',
      runtimeConfig: { platformCommand: [{ command: `\${HELM_PLUGIN_DIR}/post-render.sh` }] },
    }),
    'post-render.sh': `#!/bin/sh\nexec ${command.map(quoted).join(' ')} "$@"\n`,
  },
})

// --- internal ---

/** For a POSIX shell, which takes all between single quotes as it is. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
