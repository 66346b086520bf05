"""Bytes ⇄ typed message. Does: parse headers, part trees and text; compose mail; clean foreign HTML.

Owns: the types of a message. Never: Django, network, files, clocks. Parsing never raises on bad mail.
"""
