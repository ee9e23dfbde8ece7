import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

/** Makes a bucket at an S3 server of loopback. */
export async function createBucket(
  env: Readonly<Record<'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY' | 'AWS_ENDPOINT_URL', string>>,
  bucket: string,
): Promise<void> {
  const s3 = new S3Client({
    region: 'us-east-1',
    endpoint: env.AWS_ENDPOINT_URL,
    forcePathStyle: true,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  })
  await s3.send(new CreateBucketCommand({ Bucket: bucket }))
  s3.destroy()
}
