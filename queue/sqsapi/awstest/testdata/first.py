"""The first program of everybody who tries SQS, but for the endpoint."""

import os

import boto3

sqs = boto3.client(
    "sqs",
    endpoint_url=os.environ["RESTANTE_ENDPOINT"],
    region_name="us-east-1",
    aws_access_key_id="AKID",
    aws_secret_access_key="SECRET",
)

url = sqs.get_queue_url(QueueName="first")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="Hello World!")
for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []):
    print(message["Body"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
sqs.close()
