"""Gate room: may the candidate go out?"""
