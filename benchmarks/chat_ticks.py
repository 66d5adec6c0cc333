async def ticks_with_and_without(seconds: float):
    return {}
