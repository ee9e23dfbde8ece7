/** What people type who come from other tools, and what it is called here. */
interface WordHint {
  readonly words: readonly string[]
  readonly next: string
}

/** Verbs of other tools, with the command that does the same. */
export const commandHints: readonly WordHint[] = [
  {
    words: list('save pull download fetch get create pack package bundle build archive backup wrap'),
    next: 'to put images and charts into a bundle: ma-bundle export bundle.tar',
  },
  {
    words: list('load push upload restore unpack unwrap publish put'),
    next: 'to put a bundle into a registry: ma-bundle import bundle.tar --registry <host>',
  },
  {
    words: list('deploy install upgrade apply'),
    next: 'first ma-bundle import bundle.tar --registry <host>, then helm with the values file that it writes',
  },
  {
    words: list('copy cp sync relocate replicate mirror-resources'),
    next: 'from registry to registry: ma-bundle mirror --registry <host>; out of a bundle: ma-bundle import bundle.tar --registry <host>',
  },
  {
    words: list('list ls info show describe contents images charts tree view'),
    next: 'to list what is in a bundle: ma-bundle inspect bundle.tar',
  },
  {
    words: list('validate checksum fsck checksums integrity'),
    next: 'to check every byte of a bundle: ma-bundle verify bundle.tar',
  },
  {
    words: list('dry-run preview estimate size'),
    next: 'to see what an export would be: ma-bundle plan',
  },
  {
    words: list('test smoke pull-test'),
    next: 'to pull every image as the nodes will: ma-bundle rehearse bundle.tar --registry <host>',
  },
  {
    words: list('compare changes changelog delta'),
    next: 'to compare two bundles: ma-bundle diff old.tar new.tar',
  },
  {
    words: list('login logout auth configure credentials'),
    next: 'logins are those of docker and of the AWS tools: docker login <host>, or --username with --password-stdin',
  },
  {
    words: list('scan sbom attest vulnerabilities'),
    next: 'to carry SBOMs and signatures: ma-bundle export bundle.tar --referrers; for a scanner: ma-bundle serve bundle.tar',
  },
  {
    words: list('template render find-images annotate'),
    next: 'to find the images of charts: ma-bundle discover ./chart; to prove those of a bundle: ma-bundle prove bundle.tar',
  },
  {
    words: list('pin resolve digest freeze'),
    next: 'to pin every tag of a spec: ma-bundle lock lock.json --spec my-spec.yaml',
  },
  {
    words: list('rm remove delete gc clean cleanup'),
    next: 'to list what no kept bundle needs: ma-bundle prune --registry <host> --keep bundle.tar',
  },
  {
    words: list('registry fileserver proxy server'),
    next: 'to serve a bundle as a registry: ma-bundle serve bundle.tar',
  },
  {
    words: list('policy iam role permissions'),
    next: 'to print what a role needs: ma-bundle iam-policy --registry <host>',
  },
  {
    words: list('split join chunk'),
    next: 'to write volumes: ma-bundle export bundle.tar --split 4GiB; volumes are read without joining them',
  },
  {
    words: list('init new init-spec'),
    next: 'to write a spec from charts: ma-bundle discover ./chart',
  },
  {
    words: list('rewrite kustomize webhook'),
    next: 'to rewrite what helm renders: ma-bundle post-render bundle.tar --registry <host>',
  },
  { words: list('version'), next: 'ma-bundle --version prints the version' },
  { words: list('update self-update'), next: 'nothing updates itself: install the new version in its place' },
]

/** What a word that is no command is called here; undefined for one that nobody brings. */
export const commandHint = (word: string): string | undefined =>
  commandHints.find(({ words }) => words.includes(word.toLowerCase()))?.next

// --- internal ---

function list(words: string): readonly string[] {
  return words.split(' ')
}
