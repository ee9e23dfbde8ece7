import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments, type CollectionTag, type ScalarTag } from 'yaml'
import { parseEcrHost } from '../../src/aws/host.ts'
import { iamPolicy } from '../../src/aws/iam-policy.ts'
import { parseS3 } from '../../src/aws/s3/location.ts'
import { parseArgs } from '../../src/cli/args/args.ts'
import { readArgv } from '../../src/cli/args/argv.ts'
import { ownImageName } from '../../src/bundle/resolve/own-image.ts'
import manifest from '../../package.json' with { type: 'json' }
import importCommand from '../../src/commands/import.ts'
import { kubectlBinary } from '../support/helm.ts'
import { tarOf } from './tar-of.ts'

const exec = promisify(execFile)
const recipe = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '..', '..', 'manifests', 'recipes', name), 'utf8')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recipes-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Bash reads it and finds no fault; nothing is run. */
const readsAsBash = (script: string): Promise<unknown> => exec('bash', ['-n', '-c', script])

describe('the workflow that exports to S3', () => {
  it('asks for a role by OIDC, and for no secret', async () => {
    const text = await recipe('export-to-s3.yaml')
    const workflow = parse(text) as {
      permissions: object
      jobs: { export: { steps: { uses?: string; run?: string; with?: object }[] } }
    }
    expect(workflow.permissions).toEqual({ contents: 'read', 'id-token': 'write' })
    expect(text).not.toMatch(/secrets\.|access-key|password/i)
    const { steps } = workflow.jobs.export
    const login = steps.find(
      ({ uses }) => uses?.startsWith('aws-actions/configure-aws-credentials@') === true,
    )
    expect(login?.with).toHaveProperty('role-to-assume')
    const scripts = steps.flatMap(({ run }) => (run === undefined ? [] : [run]))
    expect(scripts.join('\n')).toContain('ma-bundle export "$BUNDLE" --with-cli')
    for (const script of scripts) await readsAsBash(script)
  })
})

describe('the Job that imports in a cluster', () => {
  it('is what Kubernetes knows: a real kubectl decodes it, and drops and changes nothing', async () => {
    const documents = parseAllDocuments(await recipe('import-job.yaml')).map(
      (document) => document.toJS() as object,
    )
    expect(documents).toHaveLength(2)
    const job = documents.find((one) => 'kind' in one && one.kind === 'Job')
    await writeFile(join(folder, 'job.yaml'), JSON.stringify(job))
    const { stdout } = await exec(
      await kubectlBinary(),
      ['set', 'env', '--local', '-f', join(folder, 'job.yaml'), '-o', 'json', 'ADDED=1'],
      { env: { HOME: folder } },
    )
    // What the schema does not know would be gone.
    expect(JSON.parse(stdout)).toMatchObject(withAdded(job as Job))
  })

  it('runs a command line that the program takes, without rights it does not need', async () => {
    const [, job] = parseAllDocuments(await recipe('import-job.yaml')).map((one) => one.toJS() as Job)
    const pod = job?.spec.template.spec
    const [container] = pod?.containers ?? []
    const [name, ...rest] = container?.args ?? []
    expect([container?.command, name]).toEqual([['ma-bundle'], 'import'])
    // The image that a bundle brings along, where its import puts it.
    expect(container?.image.split('/').slice(1).join('/')).toBe(`mirrored/${ownImageName(manifest.version)}`)
    const { args } = importCommand.spec
    const read = parseArgs(readArgv(rest, args), args, { command: 'import', env: {}, config: undefined })
    expect(read).toMatchObject({ bundle: 's3://my-bundles/bundles/ma-bundle.tar' })
    expect(parseEcrHost(String(read['registry']))).toBeDefined()
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true })
  })
})

describe('the Jobs that import side by side', () => {
  it('are what Kubernetes knows, and end with values that outlive their pod', async () => {
    const documents = parseAllDocuments(await recipe('import-indexed-job.yaml')).map(
      (document) => document.toJS() as Job,
    )
    const jobs = documents.filter((one) => 'kind' in one && one.kind === 'Job')
    expect(jobs).toHaveLength(2)
    for (const [nr, job] of jobs.entries()) {
      await writeFile(join(folder, `job${nr}.yaml`), JSON.stringify(job))
      const { stdout } = await exec(
        await kubectlBinary(),
        ['set', 'env', '--local', '-f', join(folder, `job${nr}.yaml`), '-o', 'json', 'ADDED=1'],
        { env: { HOME: folder } },
      )
      expect(JSON.parse(stdout)).toMatchObject(withAdded(job))
    }
    const [parts, finish] = jobs.map((job) => job.spec.template.spec)
    const { args } = importCommand.spec
    const [, ...sharded] = parts?.containers[0]?.args ?? []
    const read = parseArgs(readArgv(sharded, args), args, { command: 'import', env: {}, config: undefined })
    expect(read).toMatchObject({ shard: 'auto' })
    // Kubernetes tells a pod its number, not how many there are.
    expect(parts?.containers[0]?.env).toContainEqual({ name: 'JOB_COMPLETIONS', value: '4' })
    expect(jobs[0]?.spec).toMatchObject({ completionMode: 'Indexed', completions: 4 })
    expect(JSON.stringify(finish)).toContain('create configmap ma-bundle-values')
  })
})

describe('the CodeBuild project that imports in a VPC', () => {
  it('allows what iam-policy prints, statement by statement', async () => {
    const { Resources } = template(await recipe('import-codebuild.yaml'))
    const registry = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
    const host = parseEcrHost(registry)
    if (host === undefined) throw new Error('no ECR host')
    const policy = Resources.ImportRole.Properties.Policies.find(({ PolicyName }) => PolicyName === 'import')
    const known = iamPolicy({
      for: 'import',
      host,
      prefix: 'mirrored',
      chartPrefix: 'charts',
      bundle: parseS3('s3://my-bundles/bundles/ma-bundle.tar'),
      features: { createRepositories: true, tags: false, lifecyclePolicy: false, repositoryPolicy: false },
    })
    expect(policy?.PolicyDocument).toEqual(known)
  })

  it('runs commands that bash reads', async () => {
    const { Resources } = template(await recipe('import-codebuild.yaml'))
    const { phases } = parse(Resources.ImportProject.Properties.Source.BuildSpec) as {
      phases: Record<string, { commands: string[] }>
    }
    const commands = Object.values(phases).flatMap((phase) => phase.commands)
    expect(commands.join('\n')).toContain('ma-bundle import "$BUNDLE" --registry "$REGISTRY"')
    for (const command of commands) await readsAsBash(command)
  })

  it('gets the program out of the beginning of a bundle, however large the rest is', async () => {
    const bundle = tarOf([
      ['bundle.json', 1000],
      ['SHA256SUMS', 700],
      ['ma-bundle', 200_000],
      ['blobs/sha256/aa', 50_000_000],
    ])
    const text = await recipe('import-codebuild.yaml')
    const line = /tar xf - -C \/tmp\/tool --occurrence=1 SHA256SUMS ma-bundle/.exec(text)?.[0] ?? ''
    const child = spawn('bash', ['-c', line.replace('/tmp/tool', folder)], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    let taken = 0
    for (const chunk of bundle) {
      if (child.stdin.destroyed || child.exitCode !== null) break
      const isThrough = await new Promise<boolean>((done) => {
        child.stdin.once('error', () => done(false))
        child.stdin.write(chunk, (error) => done(error === null || error === undefined))
      })
      if (!isThrough) break
      taken += chunk.length
    }
    const code = await new Promise((done) => {
      if (child.exitCode === null) child.on('exit', done)
      else done(child.exitCode)
      child.stdin.on('error', () => undefined).end()
    })
    expect(code).toBe(0)
    expect((await readFile(join(folder, 'ma-bundle'))).length).toBe(200_000)
    expect(taken).toBeLessThan(10_000_000)
  })
})

// --- internal ---

interface Container {
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly env: readonly object[]
  readonly securityContext: object
}

interface Job {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly securityContext: object
        readonly containers: readonly Container[]
        readonly initContainers?: readonly Container[]
      }
    }
  }
}

/** As kubectl has it after it added a variable, which is what makes it decode the whole. */
function withAdded({ spec, ...rest }: Job): object {
  const { containers, initContainers, ...pod } = spec.template.spec
  const added = (all: typeof containers) =>
    all.map((one) => ({ ...one, env: [...one.env, { name: 'ADDED', value: '1' }] }))
  const both = {
    containers: added(containers),
    ...(initContainers === undefined ? {} : { initContainers: added(initContainers) }),
  }
  return {
    ...rest,
    spec: { ...spec, template: { ...spec.template, spec: { ...pod, ...both } } },
  }
}

interface Template {
  readonly Resources: {
    readonly ImportRole: {
      readonly Properties: {
        readonly Policies: readonly { readonly PolicyName: string; readonly PolicyDocument: object }[]
      }
    }
    readonly ImportProject: { readonly Properties: { readonly Source: { readonly BuildSpec: string } } }
  }
}

const VALUES: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
  'AWS::AccountId': '123456789012',
  'AWS::URLSuffix': 'amazonaws.com',
  BundleBucket: 'my-bundles',
  BundleKey: 'bundles/ma-bundle.tar',
  ImagePrefix: 'mirrored',
  ChartPrefix: 'charts',
}

/** A template with CloudFormation's short forms put in place, as far as it uses them. */
function template(text: string): Template {
  const scalar = (tag: string, resolve: (text: string) => string): ScalarTag => ({ tag, resolve })
  const tags: (ScalarTag | CollectionTag)[] = [
    scalar('!Sub', (value) => value.replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => VALUES[name] ?? name)),
    scalar('!Ref', (name) => VALUES[name] ?? name),
    scalar('!GetAtt', (name) => name),
  ]
  return parse(text, { customTags: tags }) as Template
}
