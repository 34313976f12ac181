# %% read
def read_measurements(path):
    """Връща таблица с колони date и co2, без седмиците без измерване."""
    table = pd.read_csv(path)
    table["date"] = pd.to_datetime(table["date"].astype(str), format="%Y%m%d")
    return table.dropna(subset=["co2"])

# %% means
def yearly_means(table):
    """Връща Series: година → средно CO2, само за години с поне 40 измервания."""
    weeks = table.groupby(table["date"].dt.year)["co2"]
    means = weeks.mean()
    return means[weeks.count() >= 40]

# %% growth
def yearly_growth(means, first, last):
    """Връща средния прираст в ppm за година от first до last."""
    return (means.loc[last] - means.loc[first]) / (last - first)

# %% predict
def predict(means, year):
    """Връща прогноза в ppm за годината year, ако прирастът остане като през последните 10 години."""
    last = means.index.max()
    growth = (means.loc[last] - means.loc[last - 10]) / 10
    return means.loc[last] + growth * (year - last)

# %% graph
years = list(range(2001, 2024))
plt.figure(figsize=(9, 4))
plt.plot(means.index, means, label="измерено, годишни средни")
plt.plot(years, [predict(means, year) for year in years], "--", label="прогноза: както през 1991–2001 г.")
plt.plot([2023], [421.08], "o", label="измерено през 2023 г.")
plt.title("CO₂ над Мауна Лоа расте все по-бързо")
plt.xlabel("година")
plt.ylabel("CO₂, ppm")
plt.legend()
plt.grid(alpha=0.3)
plt.show()

# %% [markdown] why
# Правата линия предполага, че CO₂ расте винаги с еднаква скорост, около 1,5 ppm на година, колкото между 1991 и 2001 г.
# Но скоростта сама расте: през 1959–1969 г. тя е 0,87 ppm на година, а през 1991–2001 г. е 1,53. Затова за 2023 г. правата
# дава около 404,5 ppm, а измереното е 421,08, с около 16,6 ppm повече. Люлеенето идва от растенията на северното полукълбо:
# през лятото поглъщат CO₂, през зимата го връщат. Сигурно е, че CO₂ расте и че расте все по-бързо, защото е измерено.
# Какво ще е през 2050 г. е предположение: зависи от това колко гориво ще изгорим.

# %% [markdown] after own-question
# **Моят въпрос:** колко време минава от първата седмица над 350 ppm до последната седмица под 350 ppm?
#
# Първата седмица над 350 ppm е през април 1986 г., последната под 350 ppm е през октомври 1989 г.: три години и половина.
# Толкова дълго люлеенето по сезони „крие“ промяната. Данните не казват какво ще стане с 450 ppm: скоростта може да е друга.

# %% after own-question
above = measurements[measurements["co2"] > 350]["date"].min()
below = measurements[measurements["co2"] < 350]["date"].max()
print(above.date(), below.date(), round((below - above).days / 365.25, 1), "години")
