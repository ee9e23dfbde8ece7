import type { Fixture } from './fixture.ts'

/** What a contender is told. */
export interface Task {
  readonly scheme: 'http' | 'https'
  /** Host of the registry to read from, and of the one to write to. */
  readonly source: string
  readonly target: string
  readonly fixture: Fixture
  readonly concurrency: number
  /** Folder with what the contender's own export left. */
  readonly exported: string
}

/** A way to carry images, as its own documentation says it is used. */
export interface Contender {
  readonly name: string
  /** Has to be on PATH; absent when it needs nothing. */
  readonly program?: string
  /** What stands in the table besides the name. */
  readonly note: string
  /** Writes into the current folder. */
  readonly export: (task: Task) => string
  /** Reads from `task.exported`. */
  readonly import: (task: Task) => string
}

/** `docker.io`-style names would need DNS: all contenders carry `<source>/bench/app-00:1`. */
const each = ({ fixture }: Task, line: (image: string, name: string) => string): string =>
  fixture.images.map((image) => line(image, image.replaceAll(/[/:]/g, '_'))).join('\n')

const file = (name: string, lines: readonly string[]): string =>
  `cat > ${name} <<'END'\n${lines.join('\n')}\nEND`

/** @param command how ma-bundle is started */
export const contenders = (command: string): readonly Contender[] => [
  {
    name: 'ma-bundle',
    note: 'one tar',
    export: (
      task,
    ) => `${file('spec.yaml', ['images:', ...task.fixture.images.map((image) => `  - ${task.source}/${image}`)])}
${command} export bundle.tar --spec spec.yaml --platform all --concurrency ${task.concurrency} --quiet`,
    import: (task) =>
      `${command} import ${task.exported}/bundle.tar --registry ${task.target} --concurrency ${task.concurrency} --quiet`,
  },
  {
    name: 'skopeo',
    program: 'skopeo',
    note: 'copy, one oci-archive per image',
    export: (task) =>
      each(
        task,
        (image, name) =>
          `skopeo copy -q --all --src-tls-verify=false docker://${task.source}/${image} oci-archive:${name}.tar:${image}`,
      ),
    import: (task) =>
      each(
        task,
        (image, name) =>
          `skopeo copy -q --all --dest-tls-verify=false oci-archive:${task.exported}/${name}.tar:${image} docker://${task.target}/${image}`,
      ),
  },
  {
    name: 'skopeo-sync',
    program: 'skopeo',
    note: 'sync, folders, not one file',
    export: (task) =>
      `${file('sync.yaml', [`${task.source}:`, '  tls-verify: false', '  images:', ...task.fixture.images.map((image) => `    ${image.split(':')[0] ?? ''}: ["1"]`)])}
mkdir out; skopeo sync --all --scoped --src yaml --dest dir sync.yaml out > /dev/null 2>&1`,
    // --scoped keeps the path: everything lands below the source's host and path.
    import: (task) =>
      `skopeo sync --all --dest-tls-verify=false --src dir --dest docker ${task.exported}/out/*/bench ${task.target}/bench > /dev/null 2>&1`,
  },
  {
    name: 'crane',
    program: 'crane',
    note: 'pull --format=oci, then tar',
    export: (task) =>
      `crane pull --insecure --format=oci ${task.fixture.images.map((image) => `${task.source}/${image}`).join(' ')} out > /dev/null 2>&1
tar cf bundle.tar -C out . && rm -r out`,
    // It pushes the whole layout as one index under one name: crane has no command for the way back.
    import: (task) =>
      `mkdir out; tar xf ${task.exported}/bundle.tar -C out; crane push --insecure --index out ${task.target}/bench/all:1 > /dev/null 2>&1`,
  },
  {
    name: 'regctl',
    program: 'regctl',
    note: 'image export, one tar per image',
    export: (task) =>
      `regctl registry set --tls disabled ${task.source} > /dev/null 2>&1
${each(task, (image, name) => `regctl image export ${task.source}/${image} ${name}.tar`)}`,
    import: (task) =>
      `regctl registry set --tls disabled ${task.target} > /dev/null 2>&1
${each(task, (image, name) => `regctl image import ${task.target}/${image} ${task.exported}/${name}.tar`)}`,
  },
  {
    name: 'oras',
    program: 'oras',
    note: 'backup, one tar per repository',
    export: (task) =>
      each(
        task,
        (image, name) => `oras backup --plain-http --output ${name}.tar ${task.source}/${image} > /dev/null`,
      ),
    import: (task) =>
      each(
        task,
        (image, name) =>
          `oras restore --plain-http --input ${task.exported}/${name}.tar ${task.target}/${image} > /dev/null`,
      ),
  },
  {
    name: 'imgpkg',
    program: 'imgpkg',
    note: 'copy --lock, one tar',
    export: (task) =>
      `${pinned(task)}
imgpkg copy --registry-insecure --lock pinned.yaml --to-tar bundle.tar > /dev/null`,
    import: (task) =>
      `imgpkg copy --registry-insecure --tar ${task.exported}/bundle.tar --to-repo ${task.target}/bench/all > /dev/null`,
  },
  {
    name: 'hauler',
    program: 'hauler',
    note: 'store sync, store save (zstd tar)',
    export: (task) =>
      `${file('images.yaml', ['apiVersion: content.hauler.cattle.io/v1', 'kind: Images', 'metadata:', '  name: bench', 'spec:', '  images:', ...task.fixture.images.map((image) => `    - name: ${task.source}/${image}`)])}
hauler store sync -f images.yaml > /dev/null
hauler store save -f bundle.tar.zst > /dev/null`,
    import: (task) =>
      `hauler store load -f ${task.exported}/bundle.tar.zst > /dev/null
hauler store copy --plain-http registry://${task.target} > /dev/null`,
  },
  {
    name: 'mindthegap',
    program: 'mindthegap',
    note: 'create/push bundle, one tar',
    export: (task) =>
      `${file(
        'images.txt',
        task.fixture.images.map((image) => `${task.source}/${image}`),
      )}
mindthegap create bundle --images-file images.txt --platform linux/amd64 --platform linux/arm64 --image-pull-concurrency ${task.concurrency} --output-file bundle.tar > /dev/null`,
    import: (task) =>
      `mindthegap push bundle --bundle ${task.exported}/bundle.tar --image-push-concurrency ${task.concurrency} --to-registry http://${task.target} > /dev/null`,
  },
  {
    name: 'floor',
    program: 'curl',
    note: 'one curl --parallel, then openssl sha256; no manifests, nothing checked',
    export: (task) => `${blobList(task)}
while read -r digest repository path; do printf 'url = "${task.scheme}://${task.source}/v2/%s/blobs/%s"\noutput = "%s"\n' "$repository" "$digest" "blob-\${digest#sha256:}"; done < blobs.txt > get.txt
${CURL} -Z --parallel-max ${task.concurrency} -K get.txt
ls | grep ^blob- | xargs -P 2 -n 50 openssl dgst -sha256 > /dev/null`,
    import: (task) => `${blobList(task)}
posts=$(while read -r _; do echo "${task.scheme}://${task.target}/v2/bench/all/blobs/uploads/"; done < blobs.txt)
${CURL} -Z --parallel-max ${task.concurrency} -X POST -w '%header{location}\n' $posts > places.txt
paste -d ' ' places.txt blobs.txt | while read -r place digest repository path; do printf 'url = "%s&digest=%s"\nupload-file = "%s"\noutput = "/dev/null"\n' "$place" "$digest" "$path"; done > put.txt
${CURL} -Z --parallel-max ${task.concurrency} -K put.txt`,
  },
]

// --- internal ---

/** Trusts what Go and Bun trust: https://curl.se/docs/sslcerts.html */
const CURL = 'curl -sf ${SSL_CERT_FILE:+--cacert "$SSL_CERT_FILE"}'

/** Digest, a repository that has it, and the file in the fixture; the largest first. */
const blobList = ({ fixture }: Task): string =>
  file(
    'blobs.txt',
    fixture.blobs
      .toSorted((a, b) => b.size - a.size)
      .map(({ digest, file: path }) => `${digest} ${fixture.repositoryOf(digest)} ${path}`),
  )

/** imgpkg takes digests only; asking for them is part of its work. */
const pinned = ({ scheme, source, fixture, concurrency }: Task): string => `${file(
  'tags.txt',
  fixture.images.map((image) => `url = "${scheme}://${source}/v2/${image.replace(':', '/manifests/')}"`),
)}
${CURL} -I -Z --parallel-max ${concurrency} -H 'Accept: application/vnd.oci.image.index.v1+json' -o /dev/null -K tags.txt -w '%{url} %header{docker-content-digest}\n' |
  sed -n 's|^${scheme}://${source}/v2/\\(.*\\)/manifests/[^ ]* \\(sha256:.*\\)$|- image: ${source}/\\1@\\2|p' > pins.txt
test $(wc -l < pins.txt) = ${fixture.images.length}
(printf 'apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n'; cat pins.txt) > pinned.yaml`
