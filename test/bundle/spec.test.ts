import { describe, expect, it } from 'vitest'
import { imagesOf, nameOf, parseSpec, selectGroups } from '../../src/bundle/spec/spec.ts'
import { SpecError } from '../../src/bundle/spec/yaml-reader.ts'
import { formatPlatform } from '../../src/oci/platform.ts'
import { formatReference } from '../../src/oci/reference.ts'

const HEAD = 'apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\n'

function problemsOf(text: string, fileName = 'my.yaml'): readonly string[] {
  try {
    parseSpec(text, fileName)
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    expect(error.kind).toBe('usage')
    expect(error.message).toContain(`${fileName}:`)
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
  }
  throw new Error('it was taken')
}

describe('parseSpec', () => {
  it('gives typed values', () => {
    const spec = parseSpec(
      `${HEAD}description: words
platforms: [linux/amd64, linux/arm/v7]
mirrors: { docker.io: [mirror.gcr.io, public.ecr.aws/docker] }
groups:
  - name: web
    description: what faces the world
    charts:
      - { name: nginx, version: 'v1.2.3', repository: oci://ghcr.io/team/charts, key: front }
    images:
      - nginx
      - reference: registry.example:5000/legacy/agent:2
        platforms: [linux/amd64]
        allowMissingPlatforms: true
        as: quay.io/legacy/agent:2
    files:
      - { name: a.json, url: https://x.example/a.json, sha256: ${'ab'.repeat(32)}, size: 12 }
      - { name: b.json, url: https://x.example/b.json }
`,
      'my.yaml',
    )
    const [group] = spec.groups
    expect(spec).toMatchObject({ name: 'x', version: '1.0.0', description: 'words' })
    expect(spec.platforms?.map(formatPlatform)).toEqual(['linux/amd64', 'linux/arm/v7'])
    expect(spec.mirrors.get('docker.io')).toEqual(['mirror.gcr.io', 'public.ecr.aws/docker'])
    expect(group).toMatchObject({ name: 'web', optional: false })
    expect(group?.charts).toEqual([
      { name: 'nginx', version: 'v1.2.3', repository: 'oci://ghcr.io/team/charts', key: 'front' },
    ])
    expect(group?.images.map(({ reference }) => formatReference(reference))).toEqual([
      'docker.io/library/nginx:latest',
      'registry.example:5000/legacy/agent:2',
    ])
    expect(group?.images.map((image) => formatReference(nameOf(image)))[1]).toBe('quay.io/legacy/agent:2')
    expect(group?.images[1]).toMatchObject({ allowMissingPlatforms: true })
    expect(group?.files).toEqual([
      { name: 'a.json', url: 'https://x.example/a.json', digest: `sha256:${'ab'.repeat(32)}`, size: 12 },
      { name: 'b.json', url: 'https://x.example/b.json' },
    ])
  })

  it('tells every problem at once, with its place, what was found and what was expected', () => {
    expect(
      problemsOf(`${HEAD}grups: []
groups:
  - name: a b
    optional: yes
    charts:
      - { name: cert-manager, version: ">=1", repository: charts.example }
      - { nam: x, version: 1.2.3, repository: https://x.example }
    images:
      - quay.io/UPPER/x:1
      - { reference: x, platform: [linux/amd64] }
      -
    files: { name: x }
`),
    ).toEqual([
      '5:1 found the key "grups", expected apiVersion, kind, name, version, description, platforms, mirrors, groups, bindings, hints, consumer; did you mean groups?',
      '7:11 groups[0].name: found "a b", expected a name of letters, digits, . _ and -',
      '8:15 groups[0].optional: found "yes", expected true or false',
      '10:40 groups[0].charts[0].version: found the chart version ">=1", expected an exact version, for example 1.17.2',
      '10:59 groups[0].charts[0].repository: found the chart repository "charts.example", expected https://…, oci://…, ./path or @name of a repository that helm knows',
      '11:9 groups[0].charts[1]: the key "name" is missing',
      '11:11 groups[0].charts[1]: found the key "nam", expected name, version, repository, key; did you mean name?',
      '13:9 groups[0].images[0]: not an image reference: "quay.io/UPPER/x:1": "UPPER/x" is not a repository name (lower case, digits, . _ - /); write [registry/]repository[:tag][@sha256:…], as in quay.io/jetstack/cert-manager-webhook:v1.17.2',
      '14:25 groups[0].images[1]: found the key "platform", expected reference, platforms, allowMissingPlatforms, as; did you mean platforms?',
      '15:8 groups[0].images[2]: found nothing, expected an image reference or a mapping',
      '16:12 groups[0].files: found a mapping, expected a list of files',
    ])
  })

  it('puts the place into the message itself', () => {
    expect(() => parseSpec(`${HEAD}groups: 5\n`, 'dir/my.yaml')).toThrow(
      'dir/my.yaml:5:9: groups: found the number 5, expected a list of groups',
    )
  })

  it.each([
    [
      'a version that YAML reads as a number',
      'version: 1.10',
      '1:10 version: found the number 1.10, expected a version, as in "3.3.6"; put it in quotes: "1.10"',
    ],
    ['another API version', 'apiVersion: v1', '1:13 apiVersion: found "v1", expected ma-bundle/v1'],
    ['another kind', 'kind: Manifest', '1:7 kind: found "Manifest", expected BundleSpec'],
    [
      'a mirror that is no host',
      'mirrors: { docker.io: [no host] }',
      '1:24 mirrors.docker.io[0]: not a mirror: "docker.io=no host": "no host" is neither host[/path] nor a URL; write --mirror origin=mirror[,mirror…], as in docker.io=mirror.gcr.io,public.ecr.aws/docker',
    ],
    [
      'an unknown platform',
      'platforms: [linux]',
      '1:13 platforms[0]: not a platform: "linux"; write os/architecture, as in linux/amd64 or linux/arm/v7',
    ],
    [
      'bindings of a chart that is not listed',
      'bindings: { ngnx: [] }',
      '1:19 bindings.ngnx: no chart of this spec is called "ngnx"; did you mean nginx?',
    ],
    ['a key given twice', 'name: y', '4:1 not valid YAML: Map keys must be unique'],
  ])('refuses %s', (_, line, problem) => {
    const rest = HEAD.split('\n').filter(
      (other) => !other.startsWith(`${line.split(':')[0]}:`) || line === 'name: y',
    )
    const text = `${line}\n${rest.join('\n')}groups:\n  - name: a\n    charts: [{ name: nginx, version: 1.0.0, repository: https://x.example }]\n`
    expect(problemsOf(text)).toEqual([problem])
  })

  it('refuses names that must differ', () => {
    const chart = (version: string) => `{ name: a, version: ${version}, repository: https://x.example }`
    const text = `${HEAD}consumer: { chart: c, registryAt: a.b, chartsAt: charts }
groups:
  - { name: one, charts: [${chart('1.0.0')}], files: [{ name: f, url: https://x.example/1 }] }
  - { name: one, charts: [${chart('2.0.0')}], files: [{ name: f, url: https://x.example/2 }] }
`
    expect(problemsOf(text)).toEqual([
      '7:3 groups: two groups are called "one"',
      '7:3 groups: two files are called "f"',
      '7:3 groups: two chart keys are called "a"',
    ])
  })

  it.each([
    ['nothing', '', 'found nothing'],
    ['a list', '- a\n- b\n', 'found a list'],
    ['a line of prose', 'just text', 'found "just text"'],
    ['bytes', '\u0000\u0001', 'found "\\u0000\\u0001"'],
    ['half a list', 'a: [1, 2', 'not valid YAML'],
    ['two documents', 'a: 1\n---\nb: 2\n', 'not valid YAML'],
    ['a file of brackets', `a: ${'['.repeat(100_000)}`, 'my.yaml'],
  ])('refuses %s', (_, text, words) => {
    expect(() => parseSpec(text, 'my.yaml')).toThrow(words)
  })

  it('is not blown up by aliases, nor by a huge file', () => {
    const groups = Array.from({ length: 500 }, (_, at) => `  - { name: g${at}, images: *a }`).join('\n')
    const text = `${HEAD}groups:\n  - name: first\n    images: &a [${Array.from({ length: 500 }, () => 'nginx').join(', ')}]\n${groups}\n`
    expect(text.length).toBeLessThan(30_000)
    expect(() => parseSpec(text, 'my.yaml')).toThrow(/more than 1[012]\d{4} values/)
    expect(() => parseSpec('#'.repeat(20_000_000), 'my.yaml')).toThrow(/characters are too many/)
  })

  it('follows an alias', () => {
    const text = `${HEAD}groups:\n  - { name: a, images: &list [nginx] }\n  - { name: b, images: *list }\n`
    const spec = parseSpec(text, 'my.yaml')
    expect(spec.groups.map(({ images }) => images.length)).toEqual([1, 1])
    expect(imagesOf(spec.groups)).toHaveLength(1)
  })

  it('never repeats a password', () => {
    const problems = problemsOf(
      `${HEAD}groups: [{ name: a, charts: [{ name: x, version: 1.0.0, repository: "https://me:hunter2@x.example" }] }]\n`,
    )
    expect(problems.join()).toContain('without credentials')
    expect(problems.join()).not.toContain('hunter2')
  })

  it('shows the first 25 of many problems and counts the rest', () => {
    const text = `${HEAD}groups: [{ name: a, images: [${Array.from({ length: 40 }, () => '1').join(', ')}] }]\n`
    expect(problemsOf(text)).toHaveLength(40)
    expect(() => parseSpec(text, 'my.yaml')).toThrow(/^40 problems in my\.yaml\n(?:.*\n){25} {2}and 15 more$/)
  })
})

describe('the list Migration Assistant ships', () => {
  const LIST = `# Version-locked list of container images and Helm charts
charts:
  # Format: "name|version|repository"
  - "cert-manager|1.17.2|https://charts.jetstack.io"
  - "etcd-operator|0.4.2|oci://ghcr.io/aenix-io/charts"

images:
  # cert-manager
  - "quay.io/jetstack/cert-manager-controller:v1.17.2"
  - "mirror.gcr.io/library/busybox:latest"
`

  it('is taken as it is, and called after its file', () => {
    const spec = parseSpec(LIST, 'infra/mirror/private-ecr-manifest.yaml')
    expect(spec.name).toBe('private-ecr-manifest')
    expect(spec.version).toBeUndefined()
    expect(spec.groups).toHaveLength(1)
    expect(spec.groups[0]?.charts).toEqual([
      {
        name: 'cert-manager',
        version: '1.17.2',
        repository: 'https://charts.jetstack.io',
        key: 'cert-manager',
      },
      {
        name: 'etcd-operator',
        version: '0.4.2',
        repository: 'oci://ghcr.io/aenix-io/charts',
        key: 'etcd-operator',
      },
    ])
    expect(imagesOf(spec.groups).map(({ reference }) => formatReference(reference))).toEqual([
      'quay.io/jetstack/cert-manager-controller:v1.17.2',
      'mirror.gcr.io/library/busybox:latest',
    ])
  })

  it('may lack charts or images, and name an image twice', () => {
    expect(
      imagesOf(parseSpec('images: [nginx, docker.io/library/nginx:latest]', 'l.yaml').groups),
    ).toHaveLength(1)
    expect(parseSpec('charts: []', 'l.yaml').groups[0]?.images).toEqual([])
  })

  it('names the place of what is wrong', () => {
    expect(
      problemsOf('charts:\n  - "a|1.0.0"\n  - "b|latest|https://x.example"\nimagse: []\nimages: [5]\n'),
    ).toEqual([
      '2:5 charts[0]: found "a|1.0.0", expected "name|version|repository"',
      '3:5 charts[1]: found the chart version "latest", expected an exact version, for example 1.17.2',
      '4:1 found the key "imagse", expected charts, images; did you mean images?',
      '5:10 images[0]: found the number 5, expected an image reference; put it in quotes: "5"',
    ])
  })
})

describe('selectGroups', () => {
  const spec = parseSpec(
    `${HEAD}groups: [{ name: base, images: [nginx] }, { name: extras, optional: true, images: [redis] }]\n`,
    'my.yaml',
  )

  it('leaves optional groups out unless they are asked for', () => {
    expect(selectGroups(spec).map(({ name }) => name)).toEqual(['base'])
    expect(selectGroups(spec, ['extras']).map(({ name }) => name)).toEqual(['base', 'extras'])
  })

  it('suggests a group for a slip', () => {
    expect(() => selectGroups(spec, ['extra'])).toThrow('x has no group "extra"; did you mean extras?')
  })
})
