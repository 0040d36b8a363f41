"""Queues of Zaqar: fetched by claim, or sent by subscription."""
