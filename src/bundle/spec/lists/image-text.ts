/** How tools write where an image comes from; the name behind it is what counts. */
const PREFIX = /^(?:docker:\/\/|oci:\/\/|containerd:\/\/|docker-pullable:\/\/|registry:\/\/|https?:\/\/)/i

/** A reference without quotes, blanks and the prefixes of other tools. */
export const withoutPrefix = (text: string): string =>
  text
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
    .trim()
    .replace(PREFIX, '')

/** The first part of a text that some program still has to fill in: `${TAG}`, `{{ .Values.tag }}`, `###ZARF_…###`. */
export function templateIn(text: string): string | undefined {
  return /\{\{.*?(?:\}\}|$)|\$\{[^}]*\}?|\$\([^)]*\)?|\$[A-Za-z_]\w*|###[A-Z_]+###|<[a-zA-Z][\w -]*>|\(@.*?(?:@\)|$)/.exec(
    text,
  )?.[0]
}
