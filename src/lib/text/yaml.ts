import { Document, isNode, isScalar, Scalar, visit, type ToStringOptions } from 'yaml'
import { UNSEEN, visible } from './visible.ts'

/**
 * Foreign values as YAML that every reader takes for the same. For YAML 1.1, as helm and kubectl read it, U+0085, U+2028
 * and U+2029 end a line, a comment, and a plain or quoted text; so keys and texts that hold anything `UNSEEN` are quoted
 * with it escaped, and comments spell it out.
 * @param value plain values, or a document whose comments and styles are kept; its nodes are changed
 */
export function yamlText(value: unknown, options: YamlOptions = {}): string {
  const { aliasDuplicateObjects = true, lineWidth = 0 } = options
  const document = value instanceof Document ? value : new Document(value, { aliasDuplicateObjects })
  shield(document)
  visit(document, (_, node) => {
    if (isScalar(node) && typeof node.value === 'string' && UNSAFE.test(node.value)) {
      node.value = node.value.toWellFormed()
      node.type = Scalar.QUOTE_DOUBLE
    }
    if (isNode(node)) shield(node)
  })
  // They stand in double quotes only: everything else has been quoted or spelled out.
  return document.toString({ lineWidth }).replaceAll(RAW, escaped)
}

// --- internal ---

interface YamlOptions extends Pick<ToStringOptions, 'lineWidth'> {
  /** Whether what appears twice is written once, with an anchor. */
  readonly aliasDuplicateObjects?: boolean
}

/** Line feeds and tabs are what block texts and quotes of YAML are for. */
const UNSAFE = /[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const RAW = new RegExp(UNSAFE, 'gu')

function shield(node: { comment?: string | null; commentBefore?: string | null }): void {
  for (const at of ['comment', 'commentBefore'] as const) {
    const text = node[at]
    if (typeof text === 'string' && text.search(UNSEEN) >= 0)
      node[at] = text.split('\n').map(visible).join('\n')
  }
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16).padStart(code > 0xffff ? 8 : 4, '0')
  return `\\${code > 0xffff ? 'U' : 'u'}${hex}`
}
