/**
 * One failure, two dialects: `type` is the AWS exception of the JSON API, and the table below says what the
 * same failure looks like through the OCI door.
 */
export class EcrError extends Error {
  override readonly name = 'EcrError'

  constructor(
    readonly type: ErrorType,
    message: string,
    /** Further members of the JSON API's answer, such as `lastValidByteReceived`. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
  }
}

/**
 * Status and code as clients of ECR report them; 404 for everything absent follows the API's own NotFound family.
 * TAG_INVALID: https://github.com/moby/buildkit/issues/3776, 416: https://github.com/aws/containers-roadmap/issues/2831,
 * 405: https://github.com/containers/image/issues/584, 429: https://github.com/containerd/containerd/issues/10447
 */
const OCI = {
  AccessDeniedException: [403, 'DENIED'],
  EmptyUploadException: [400, 'BLOB_UPLOAD_INVALID'],
  ImageAlreadyExistsException: [400, 'TAG_INVALID'],
  ImageDigestDoesNotMatchException: [400, 'MANIFEST_INVALID'],
  ImageNotFoundException: [404, 'MANIFEST_UNKNOWN'],
  ImageTagAlreadyExistsException: [400, 'TAG_INVALID'],
  InvalidLayerException: [400, 'BLOB_UPLOAD_INVALID'],
  InvalidLayerPartException: [416, 'BLOB_UPLOAD_INVALID'],
  /** Ours: the manifest's JSON is refused. The JSON API calls it InvalidParameterException. */
  InvalidManifest: [405, 'UNSUPPORTED'],
  InvalidParameterException: [400, 'UNSUPPORTED'],
  InvalidTagParameterException: [400, 'UNSUPPORTED'],
  KmsException: [400, 'UNSUPPORTED'],
  LayerAlreadyExistsException: [400, 'BLOB_UPLOAD_INVALID'],
  LayerPartTooSmallException: [400, 'BLOB_UPLOAD_INVALID'],
  LayersNotFoundException: [404, 'MANIFEST_BLOB_UNKNOWN'],
  LifecyclePolicyNotFoundException: [404, 'UNSUPPORTED'],
  LimitExceededException: [403, 'DENIED'],
  ReferencedImagesNotFoundException: [404, 'MANIFEST_BLOB_UNKNOWN'],
  RepositoryAlreadyExistsException: [400, 'UNSUPPORTED'],
  RepositoryNotEmptyException: [400, 'UNSUPPORTED'],
  RepositoryNotFoundException: [404, 'NAME_UNKNOWN'],
  RepositoryPolicyNotFoundException: [404, 'UNSUPPORTED'],
  ThrottlingException: [429, 'TOOMANYREQUESTS'],
  TooManyTagsException: [400, 'UNSUPPORTED'],
  UploadNotFoundException: [404, 'BLOB_UPLOAD_UNKNOWN'],
  // Signature and credentials, JSON API only.
  ExpiredTokenException: [403, 'DENIED'],
  InvalidSignatureException: [403, 'DENIED'],
  MissingAuthenticationTokenException: [403, 'DENIED'],
  UnknownOperationException: [404, 'UNSUPPORTED'],
  UnrecognizedClientException: [403, 'DENIED'],
} as const satisfies Record<string, readonly [number, string]>

export type ErrorType = keyof typeof OCI

export const ociStatus = (error: EcrError): number => OCI[error.type][0]

export const ociCode = (error: EcrError): string => OCI[error.type][1]

/** The message AWS gives for a field that breaks its pattern, range or length. */
export const invalidParameter = (field: string, constraint: string): EcrError =>
  new EcrError(
    'InvalidParameterException',
    `Invalid parameter at '${field}' failed to satisfy constraint: '${constraint}'`,
  )
