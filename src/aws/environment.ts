import type { AwsConfig } from './config/config.ts'

/** Where the SDK looks for credentials, given these variables: what a person has to fix. */
export function credentialSource({ env, profile }: AwsConfig): string {
  const set = (name: string): boolean => (env[name] ?? '') !== ''
  if (profile !== undefined) return `profile ${profile}`
  if (set('AWS_ACCESS_KEY_ID') && set('AWS_SECRET_ACCESS_KEY')) {
    return set('AWS_SESSION_TOKEN') ? 'AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN' : 'AWS_ACCESS_KEY_ID'
  }
  if (set('AWS_WEB_IDENTITY_TOKEN_FILE')) {
    return `the web identity of this pod or job (role ${env.AWS_ROLE_ARN ?? 'not set'})`
  }
  if (set('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') || set('AWS_CONTAINER_CREDENTIALS_FULL_URI')) {
    return 'the role of this container (ECS or EKS Pod Identity)'
  }
  return 'the default profile, then the role of this EC2 instance'
}

/** What to do when the credentials named by `credentialSource` are missing, expired or wrong. */
export function nextForCredentials(said: string, aws: AwsConfig): string {
  const source = credentialSource(aws)
  const profile = aws.profile === undefined ? '' : ` --profile ${aws.profile}`
  if (/\bsso\b/i.test(said)) return `run: aws sso login${profile}`
  if (/aws login/i.test(said)) return `run: aws login${profile}`
  if (/multi-factor/i.test(said)) {
    return `MFA codes cannot be entered here; start with a session: eval "$(aws configure export-credentials${profile} --format env)"`
  }
  if (/metadata|IMDS/i.test(said)) {
    return 'give this instance a role; in a container on it, raise the hop limit of its metadata service to 2'
  }
  if (/expired/i.test(said)) return `get fresh credentials for what was tried: ${source}`
  if (profile !== '')
    return `tried ${source}; see whether it exists and has credentials: aws configure list${profile}`
  return (
    `tried ${source}; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ` +
    'or run where a role is attached'
  )
}
