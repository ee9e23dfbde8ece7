/** Why a node could not pull, from the words of its runtime. */
export interface PullFailure {
  readonly cause: string
  readonly next: string
}

interface Rule extends PullFailure {
  readonly pattern: RegExp
}

/**
 * What containerd and the kubelet write, the most specific first. Sources: containerd `core/remotes/docker/resolver.go`,
 * `fetcher.go` and `authorizer.go`, kubelet `pkg/kubelet/images/image_manager.go`; the words differ between versions.
 */
const RULES: readonly Rule[] = [
  {
    pattern: /no match for platform in manifest/,
    cause: 'the image has nothing for the platform of the node',
    next: 'export it again with that platform (--platform), or keep the pod off such nodes',
  },
  {
    pattern: /no basic auth credentials/,
    cause: 'the node has no credentials for this host',
    next: 'name the registry by its full ECR host name, so that the credential provider of the node matches it, or give the pod a pull secret',
  },
  {
    pattern: /manifest\.v1\+|schema ?1.*no longer supported/,
    cause: 'the image is stored in Docker schema 1, which runtimes no longer take',
    next: 'rebuild or re-push the image with a current tool',
  },
  {
    pattern: /toomanyrequests|429 Too Many Requests|pull rate limit/i,
    cause: 'the registry limits how much is pulled',
    next: 'pull from the private registry, or wait',
  },
  {
    pattern: /(?:starport-layer-bucket|\.s3[.-])[^ ]*.*(?:i\/o timeout|connection refused|no such host)/,
    cause: 'the node cannot reach the S3 bucket that ECR keeps layers in',
    next: 'add an S3 gateway endpoint to the route tables of the nodes: ma-bundle iam-policy --for vpc-endpoints',
  },
  {
    pattern: /(?:starport-layer-bucket|\.s3[.-])[^ ]*.*403/,
    cause: 'the policy of the S3 endpoint does not let the node read the layers',
    next: 'allow s3:GetObject on the bucket that the message names in the policy of the S3 endpoint',
  },
  {
    pattern: /\/blobs\/sha256:[0-9a-f]{64}[^ ]*: 403|GetDownloadUrlForLayer/,
    cause: 'the node may read the manifest, not the layers',
    next: 'allow the role of the nodes ecr:GetDownloadUrlForLayer, and s3:GetObject in the policy of the S3 endpoint: ma-bundle iam-policy --for node',
  },
  {
    pattern: /403 Forbidden|ecr:BatchGetImage|denied: User/,
    cause: 'the node may not read this repository',
    next: 'allow the role of the nodes what "ma-bundle iam-policy --for node" prints',
  },
  {
    pattern: /insufficient_scope|authorization failed|unauthorized|401/i,
    cause: 'the registry refused the credentials of the node',
    next: 'check the pull secret, or the credential provider of the nodes',
  },
  {
    pattern: /could not fetch content descriptor|content at .* not found|httpReadSeeker.*not found/,
    cause: 'the registry has the manifest, but lost a layer or child of it',
    next: 'push it again: ma-bundle import <bundle> --registry <registry> --repair',
  },
  {
    pattern: /no such host|server misbehaving/,
    cause: 'the host name of the registry does not resolve on the node',
    next: 'check the private DNS of the ECR endpoints; a public host cannot be resolved in an isolated VPC',
  },
  {
    pattern: /x509: certificate signed by unknown authority/,
    cause: 'the node does not trust the certificate of the registry',
    next: 'give the nodes the certificate authority of the registry, or of the proxy in front of it',
  },
  {
    pattern: /x509:/,
    cause: 'the certificate of the registry is not good for its name or its date',
    next: 'check the host name and the clock of the node',
  },
  {
    pattern: /server gave HTTP response to HTTPS client/,
    cause: 'the registry speaks plain http, the node expects https',
    next: 'configure the host for plain http on the nodes: ma-bundle values --format containerd',
  },
  {
    pattern: /i\/o timeout|connection refused|no route to host|network is unreachable/,
    cause: 'the node cannot reach the registry',
    next: 'check the ecr.dkr endpoint and its security group (port 443 from the nodes)',
  },
  {
    pattern: /no space left on device/,
    cause: 'the disk of the node is full',
    next: 'free space on the node, or give its volume more',
  },
  {
    pattern: /progress timeout|context canceled|context deadline exceeded/,
    cause: 'the pull made no progress and was stopped',
    next: 'check the bandwidth between the node and the registry',
  },
  {
    pattern: /mismatched image rootfs and manifest layers|unsupported.*media type/,
    cause: 'what the reference names is not a container image',
    next: 'check the reference: a chart or another artifact has the same name',
  },
  {
    pattern: /couldn't parse image (?:name|reference)|invalid reference format|InvalidImageName/,
    cause: 'the text is not an image reference',
    next: 'check the values: a template was left unfilled, or a part of the reference is empty',
  },
  {
    pattern: /ErrImageNeverPull/,
    cause: 'the pod forbids to pull (imagePullPolicy: Never), and the node does not have the image',
    next: 'set imagePullPolicy to IfNotPresent',
  },
  {
    pattern: /SignatureValidationFailed/,
    cause: 'the runtime refused the signature of the image',
    next: 'check the signature policy of the nodes',
  },
  {
    pattern: /not found/,
    cause: 'the tag or the repository is not in the registry (or ECR archived the image)',
    next: 'import the bundle that has it: ma-bundle import <bundle> --registry <registry>',
  },
]

/** Reasons for which a container waits that are about its image. */
export const PULL_REASONS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
])

/** What a runtime's words mean. Words that nobody knows are the cause as they are. */
export function explainPull(text: string): PullFailure {
  const rule = RULES.find(({ pattern }) => pattern.test(text))
  if (rule !== undefined) return { cause: rule.cause, next: rule.next }
  return { cause: lastPart(text), next: 'see kubectl describe pod for the whole of it' }
}

// --- internal ---

/** The runtime puts the cause behind all that it was about; a signed URL in it is cut. */
const lastPart = (text: string): string => {
  const plain = text.replaceAll(/\?X-Amz-[^\s"]*/g, '').trim()
  return plain.length > 200 ? `…${plain.slice(-200)}` : plain
}
