import { yamlText } from '../lib/text/yaml.ts'
import type { EcrHost } from './host.ts'
import { bundleArns } from './iam-policy.ts'
import { layerBucket } from './partition.ts'
import type { S3Location } from './s3/location.ts'

/**
 * CloudFormation for what an isolated VPC needs to push to and pull from this registry: interface endpoints for
 * ecr.api and ecr.dkr, a gateway endpoint for S3 that only lets the layer bucket and a bundle in S3 through, and the security group
 * of the interface endpoints. On request one for STS, without which roles cannot be assumed.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
 */
export function vpcEndpoints(
  { partition, region }: Pick<EcrHost, 'partition' | 'region'>,
  bundle?: S3Location,
): string {
  const prefix = partition.vpcEndpointPrefix
  // STS keeps the plain name in all partitions but China.
  const stsPrefix = partition.id === 'aws-cn' ? prefix : 'com.amazonaws'
  const template = {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `Amazon ECR in ${region} from an isolated VPC: push, pull, and nothing else`,
    Parameters: {
      VpcId: { Type: 'AWS::EC2::VPC::Id', Description: 'DNS support and DNS host names must be on in it' },
      SubnetIds: { Type: 'List<AWS::EC2::Subnet::Id>', Description: 'One per availability zone' },
      RouteTableIds: {
        Type: 'List<String>',
        Description: 'Of all subnets that pull: nodes, and where the import runs',
      },
      ClientCidr: {
        Type: 'String',
        Description: 'From where the endpoints are used, for example 10.0.0.0/16',
      },
      WithSts: {
        Type: 'String',
        AllowedValues: ['true', 'false'],
        Default: 'true',
        Description: 'Needed to assume roles: IRSA, profiles with role_arn',
      },
    },
    Conditions: { HasSts: { 'Fn::Equals': [{ Ref: 'WithSts' }, 'true'] } },
    Resources: {
      EndpointSecurityGroup: {
        Type: 'AWS::EC2::SecurityGroup',
        Properties: {
          GroupDescription: 'HTTPS to the interface endpoints',
          VpcId: { Ref: 'VpcId' },
          SecurityGroupIngress: [
            { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, CidrIp: { Ref: 'ClientCidr' } },
          ],
        },
      },
      EcrApiEndpoint: interfaceTo(`${prefix}.${region}.ecr.api`),
      EcrDkrEndpoint: interfaceTo(`${prefix}.${region}.ecr.dkr`),
      S3Endpoint: {
        Type: 'AWS::EC2::VPCEndpoint',
        Properties: {
          VpcEndpointType: 'Gateway',
          ServiceName: `com.amazonaws.${region}.s3`,
          VpcId: { Ref: 'VpcId' },
          RouteTableIds: { Ref: 'RouteTableIds' },
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'EcrLayers',
                Effect: 'Allow',
                Principal: '*',
                Action: ['s3:GetObject'],
                Resource: [`arn:${partition.id}:s3:::${layerBucket(region)}/*`],
              },
              ...(bundle === undefined ? [] : bundleThrough(bundleArns({ partition }, bundle))),
            ],
          },
        },
      },
      StsEndpoint: { Condition: 'HasSts', ...interfaceTo(`${stsPrefix}.${region}.sts`) },
    },
    Outputs: {
      SecurityGroupId: { Description: 'Of the interface endpoints', Value: { Ref: 'EndpointSecurityGroup' } },
    },
  }
  return yamlText(template, { lineWidth: 110, aliasDuplicateObjects: false })
}

// --- internal ---

/** An import reads the bundle, and may leave the values beside it. */
const bundleThrough = (objects: readonly string[]): readonly object[] => [
  { Sid: 'ReadBundle', Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource: objects },
  {
    Sid: 'WriteBesideBundle',
    Effect: 'Allow',
    Principal: '*',
    Action: ['s3:PutObject'],
    Resource: objects.slice(1),
  },
]

/** Private DNS makes the public names lead here; without it the registry's own name leaves the VPC. */
const interfaceTo = (serviceName: string) => ({
  Type: 'AWS::EC2::VPCEndpoint',
  Properties: {
    VpcEndpointType: 'Interface',
    ServiceName: serviceName,
    VpcId: { Ref: 'VpcId' },
    SubnetIds: { Ref: 'SubnetIds' },
    SecurityGroupIds: [{ Ref: 'EndpointSecurityGroup' }],
    PrivateDnsEnabled: true,
  },
})
