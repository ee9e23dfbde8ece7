/** The first of `to` whose flag the command has counts; a text without a flag holds for every command. */
interface FlagHint {
  readonly words: readonly string[]
  readonly to: readonly { readonly flag?: string; readonly next: string }[]
}

const BUNDLE = 'the bundle is the first argument, without a flag'

/** Flags of other tools, with the ones of this program; looked up before spellings are compared. */
export const flagHints: readonly FlagHint[] = [
  {
    words: list('-f --file --filename'),
    to: [
      { flag: 'spec', next: `for a list: --spec <file>; ${BUNDLE}` },
      { flag: 'values', next: `for where the values go: --values <file>; ${BUNDLE}` },
      { next: BUNDLE },
    ],
  },
  {
    words: list('-o --output --out --to-tar --dest-dir'),
    to: [{ flag: 'output', next: 'write --output <file>' }, { next: `${BUNDLE}; for JSON lines: --json` }],
  },
  {
    words: list('--dest --destination --target --to --to-repo --repo --registry-url'),
    to: [{ flag: 'registry', next: 'write --registry <host[/path]>' }, { next: BUNDLE }],
  },
  { words: list('--src --source --from --tar -i --input'), to: [{ next: BUNDLE }] },
  {
    words: list('--images --image-list --list -c --manifest --config-file'),
    to: [
      { flag: 'spec', next: 'for a list in a file: --spec <file>; images may also stand as arguments' },
      { flag: 'include', next: 'to take only some: --include <glob>' },
      { next: 'the list of images is given to ma-bundle export bundle.tar --spec <file>' },
    ],
  },
  {
    words: list('--all -a --multi-arch --all-platforms'),
    to: [
      { flag: 'platform', next: 'for every platform: --platform all' },
      { next: 'everything in the bundle is taken unless a flag leaves it out' },
    ],
  },
  {
    words: list('--arch --os --architecture --platforms --override-arch --override-os'),
    to: [
      { flag: 'platform', next: 'write --platform <os/arch>, and again for another one' },
      {
        next: 'platforms are chosen when the bundle is made: ma-bundle export bundle.tar --platform linux/arm64',
      },
    ],
  },
  {
    words: list('--port --address --addr --bind --host'),
    to: [
      { flag: 'listen', next: 'write --listen <host:port>' },
      { flag: 'registry', next: 'the port is part of the name: --registry <host:port>' },
      { next: 'only one command listens: ma-bundle serve bundle.tar --listen 127.0.0.1:5000' },
    ],
  },
  {
    words: list(
      '--plain-http --http --insecure --tls-verify --src-tls-verify --dest-tls-verify -k --insecure-skip-tls-verify',
    ),
    to: [
      {
        flag: 'insecure-registry',
        next: 'for plain http: --insecure-registry <host>; certificates are always checked: --ca-file <pem>',
      },
      { next: 'this command reaches no registry' },
    ],
  },
  {
    words: list('--cacert --ca-cert --cert-dir --tls-ca --registry-ca-cert-path'),
    to: [
      { flag: 'ca-file', next: 'write --ca-file <pem>' },
      { next: 'this command opens no connection of its own' },
    ],
  },
  {
    words: list('-u --user --creds --password -p'),
    to: [
      { flag: 'username', next: 'write --username [host=]name and pipe the password to --password-stdin' },
      { next: 'this command logs in nowhere' },
    ],
  },
  {
    words: list('-j --jobs --parallel --workers --max-parallel --threads'),
    to: [
      { flag: 'concurrency', next: 'write --concurrency <number>' },
      { next: 'this command chooses by itself' },
    ],
  },
  {
    words: list('--retry --retries --retry-times --timeout'),
    to: [{ next: 'retries and timeouts are built in; run the same command again after a failure' }],
  },
  {
    words: list('--max-package-size --chunk-size --archive-size --split-size --volume-size'),
    to: [
      { flag: 'split', next: 'write --split <size>' },
      { next: 'the size is chosen when the bundle is made: ma-bundle export bundle.tar --split 4GiB' },
    ],
  },
  {
    words: list('--registry-override --registry-mirror --proxy'),
    to: [
      { flag: 'mirror', next: 'write --mirror host=mirror; a proxy is set with HTTPS_PROXY' },
      { next: 'a proxy is set with HTTPS_PROXY' },
    ],
  },
  {
    words: list('--differential --base --incremental --from-bundle'),
    to: [
      {
        flag: 'since',
        next: 'what the other side has: --since <file>; what is here already: --reuse <bundle>',
      },
      { next: 'ma-bundle export bundle.tar --since <file> leaves out what the other side has' },
    ],
  },
  {
    words: list('--key --signing-key --cosign-key --public-key'),
    to: [
      { flag: 'sign', next: 'to sign: --sign <key>; to check: --verify-key <file>' },
      { flag: 'verify-key', next: 'to check a signature: --verify-key <file>' },
      { next: 'this command reads no signature' },
    ],
  },
  {
    words: list('--sbom --include-referrers --digest-tags --cosign-signatures'),
    to: [
      { flag: 'referrers', next: 'write --referrers' },
      { next: 'they are carried when the bundle is made so: ma-bundle export bundle.tar --referrers' },
    ],
  },
  {
    words: list('--namespace --path --repo-prefix -n'),
    to: [{ flag: 'prefix', next: 'write --prefix <path>; charts: --chart-prefix <path>' }, { next: BUNDLE }],
  },
  {
    words: list('--set --set-string --set-file'),
    to: [
      { flag: 'kube-version', next: 'values come in files: --values <chart=file> (mirror: --chart-values)' },
      { next: 'values are given to helm upgrade, beside the file that the import writes' },
    ],
  },
  {
    words: list('-d --debug --log-level -vv'),
    to: [{ next: 'write --verbose, or set MA_BUNDLE_DEBUG=1' }],
  },
  {
    words: list('--no-progress --no-tty --silent -s'),
    to: [{ next: 'write --quiet; a pipe gets no live view' }],
  },
  {
    words: list('-y --yes --confirm --force'),
    to: [
      { flag: 'yes', next: 'write --yes' },
      { next: 'nothing asks for a confirmation: leave the flag out' },
    ],
  },
  {
    words: list('--compress --compression --zstd --gzip'),
    to: [{ next: 'layers are compressed already: leave the flag out' }],
  },
  {
    words: list('--cache-dir --tmpdir --store'),
    to: [
      { flag: 'reuse', next: 'nothing is staged; to take bytes from an earlier bundle: --reuse <bundle>' },
      { next: 'nothing is staged: leave the flag out' },
    ],
  },
  {
    words: list('--filter --select'),
    to: [
      { flag: 'include', next: 'write --include <glob> or --exclude <glob>' },
      { next: 'a selection is made by: ma-bundle export bundle.tar --include <glob>' },
    ],
  },
  {
    words: list('--dry-run --plan'),
    to: [
      { flag: 'dry-run', next: 'write --dry-run' },
      { next: 'to look without writing: ma-bundle plan or ma-bundle doctor --registry <host>' },
    ],
  },
]

/** What a flag of other tools is called in a command that has `flags` (without dashes). */
export function flagHint(spelling: string, flags: readonly string[]): string | undefined {
  const hint = flagHints.find(({ words }) => words.includes(spelling))
  return hint?.to.find(({ flag }) => flag === undefined || flags.includes(flag))?.next
}

// --- internal ---

function list(words: string): readonly string[] {
  return words.split(' ')
}
